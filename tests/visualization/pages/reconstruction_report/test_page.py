import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gluestick.visualization.pages.reconstruction_report import (
    ReportScene,
    write_reconstruction_report,
)
from gluestick.visualization.pages.reconstruction_report import page as page_module
from gluestick.visualization.pages.reconstruction_report import scene as scene_module

HOSTILE = "<img src=x onerror=alert(1)>.jpg"


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.cells: list[str] = []
        self.data = ""
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._open = "data" if dict(attributes).get("id") == "data" else tag
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, text: str) -> None:
        if self._open in ("td", "th"):
            self.cells[-1] += text
        elif self._open == "data":
            self.data += text


def scene(**changes: Any) -> ReportScene:
    rng = np.random.default_rng(0)
    corners = np.array([[-1.0, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]])
    centres = np.array([[0.0, 0, 0], [1, 0, 0]])
    given = {
        "camera_names": ("a.jpg", HOSTILE),
        "camera_centres": centres,
        "camera_corners": centres[:, None] + corners,
        "points": rng.normal((0, 0, 8), 1, (50, 3)),
        "point_colors": rng.integers(0, 256, (50, 3)),
        "point_errors": rng.uniform(0, 1, 50),
        "lines": rng.normal((0, 0, 8), 1, (7, 2, 3)),
    }
    return ReportScene(**(given | changes))


def record(name: str = HOSTILE) -> dict[str, Any]:
    figures = {
        "mean_track_length": 3.0,
        "track_lengths": {"2": 20, "4": 30},
        "mean_reprojection_error": 0.5,
    }
    photographs = [
        {"name": "a.jpg", "registered": True, "reason": None},
        {"name": name, "registered": True, "reason": None},
        {"name": "c.jpg", "registered": False, "reason": f"the most matches, 3, are with {name}"},
    ]
    pair = {"names": ["a.jpg", name], "num_matches": 80, "num_inliers": 61}
    apart = {"names": [name, "c.jpg"], "num_matches": 3, "num_inliers": 0}
    return {
        "models": [figures | {"num_points": 50}],
        "line_map": figures | {"num_lines": 7},
        "photographs": [
            each | {"num_observations": 5, "num_verified_pairs": 1} for each in photographs
        ],
        "pairs": [
            pair | {"geometry": "planar_or_panoramic"},
            apart | {"geometry": "degenerate"},
        ],
    }


def written(tmp_path: Path, *arguments: Any, **options: Any) -> str:
    write_reconstruction_report(tmp_path / "report.html", *arguments, **options)
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def floats(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f4").reshape(-1, 3)


def test_the_view_in_space_is_that_of_the_scene(tmp_path: Path) -> None:
    given = scene()
    data = json.loads(Page(written(tmp_path, given, record())).data)
    points, cameras = floats(data["points"]), floats(data["cameras"]).reshape(2, 5, 3)
    assert data["names"] == ["a.jpg", HOSTILE]
    assert np.frombuffer(base64.b64decode(data["colors"]), np.uint8).tolist() == (
        given.point_colors.ravel().tolist()
    )
    assert floats(data["lines"]).shape == (14, 3)
    assert np.percentile(np.linalg.norm(points, axis=1), 95) == pytest.approx(1, abs=0.15)
    ratio = np.linalg.norm(points[0] - points[1]) / np.linalg.norm(
        given.points[0] - given.points[1]
    )
    assert np.linalg.norm(cameras[0, 0] - cameras[1, 0]) == pytest.approx(ratio, rel=1e-4)
    assert (cameras[:, 0, 2] > 1).all()  # the eye begins where the cameras are
    assert (cameras[:, 1:3, 1] > cameras[:, 3:5, 1]).all()  # tops of photographs are up


def test_figures_are_told(tmp_path: Path) -> None:
    text = written(tmp_path, scene(), record(), line_errors=np.linspace(0, 1, 7))
    page = Page(text)
    assert "2 of 3 photographs registered" in text
    assert "50 points, seen by 3.0 photographs each, 0.50 px mean reprojection error" in text
    assert "7 lines, seen by 3.0 photographs each" in text
    assert "1 of 2 pairs verified" in text
    assert "verified: planar or panoramic" in page.cells
    assert "not verified" in page.cells
    assert page.cells.count("61") == 3  # twice in the matrix, once in the table
    assert page.cells.index("c.jpg") < page.cells.index("a.jpg")  # what is not registered first
    assert "<title>4: 30</title>" in text


def test_names_are_only_text(tmp_path: Path) -> None:
    plain = Page(written(tmp_path, scene(camera_names=("a", "b")), record("b"), title="plain"))
    page = Page(written(tmp_path, scene(), record(), title=f"{HOSTILE}</script>{{{{DATA}}}}"))
    assert page.tags == plain.tags
    assert "img" not in page.tags
    assert HOSTILE in page.cells
    assert f"the most matches, 3, are with {HOSTILE}" in page.cells
    assert "<" not in page.data


def test_nothing_is_loaded_from_elsewhere(tmp_path: Path) -> None:
    text = written(tmp_path, scene(), record("b.jpg"))
    text = text.replace(Page(text).data, "")
    assert not re.search(r"https?:|//\w|@import|fetch\(|XMLHttpRequest|import\(", text)
    assert not re.search(r"<\w+ [^>]*src=", text)
    assert "default-src 'none'; img-src data:;" in text


def test_large_scenes_are_thinned_out_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (page_module, scene_module):
        monkeypatch.setattr(module, "MAX_POINTS", 20)
    text = written(tmp_path, scene(), record())
    assert len(floats(json.loads(Page(text).data)["points"])) == 20
    assert "20 of 50 points are shown." in text


def test_a_failed_reconstruction_is_told_too(tmp_path: Path) -> None:
    failed = record() | {"models": [], "line_map": None}
    for photograph in failed["photographs"]:
        photograph["registered"] = False
    text = written(tmp_path, ReportScene.empty(), failed)
    assert "0 of 3 photographs registered" in text
    assert json.loads(Page(text).data)["names"] == []


def test_a_scene_without_points_is_shown_around_its_cameras(tmp_path: Path) -> None:
    bare = replace(
        ReportScene.empty(),
        **{
            name: getattr(scene(), name)
            for name in ("camera_names", "camera_centres", "camera_corners")
        },
    )
    cameras = floats(json.loads(Page(written(tmp_path, bare, record())).data)["cameras"])
    assert np.isfinite(cameras).all()


def test_many_photographs_have_no_matrix(tmp_path: Path) -> None:
    large = record()
    large["photographs"] = [large["photographs"][0] | {"name": str(i)} for i in range(1005)]
    text = written(tmp_path, scene(), large)
    assert 'class="matrix"' not in text
    assert "The first 1000 of 1005 photographs." in text


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="2 camera_names, found 1"):
        scene(camera_names=("a",))
