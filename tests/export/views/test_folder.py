"""A photograph and details of it that look six times closer, of which matching finds nothing."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gluestick.export import (
    FeaturesReader,
    MatchesReader,
    MatchesWriter,
    export_hloc_folder,
    read_features_h5,
    read_matches_h5,
)
from gluestick.export.hloc_folder import HlocFolder
from gluestick.export.views.folder import ViewBudget
from gluestick.pipeline import PointLineMatcher
from gluestick.viewpoint.affine_evidence import AffineEvidence

SIZE = (400, 320)
ZOOM = 6
PAIRS = [("whole.png", "detail.png"), ("whole.png", "same.png")]
TO_DETAIL = np.array([[ZOOM, 0, -(ZOOM - 1) * 199.5], [0, ZOOM, -(ZOOM - 1) * 159.5]])


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory, assets: Path) -> Path:
    """``whole.png``, ``detail.png``, ``same.png``, which is the same, and ``turned.png``.

    The last is stored turned, and EXIF says so.
    """
    folder = tmp_path_factory.mktemp("details")
    with Image.open(assets / "graffiti_a.jpg") as image:
        image = image.convert("RGB")
    half = np.array(image.size) / 2
    box = (*(half - half / ZOOM), *(half + half / ZOOM))
    image.resize(SIZE, Image.Resampling.LANCZOS).save(folder / "whole.png")
    detail = image.resize(SIZE, Image.Resampling.BICUBIC, box=box)
    for name in ("detail.png", "same.png"):
        detail.save(folder / name)
    exif = Image.Exif()
    exif[0x0112] = 6
    detail.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.png", exif=exif)
    return folder


@pytest.fixture
def known_view(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Take the true map for what a search finds, and count the searches."""
    calls: list[int] = []

    def search(*_: object, **__: object) -> list[AffineEvidence]:
        calls.append(1)
        return [AffineEvidence(affine=TO_DETAIL, inliers=np.ones(9, bool), log10_false_alarms=-9.0)]

    monkeypatch.setattr("gluestick.viewpoint.better_views.search_views", search)
    monkeypatch.setattr("gluestick.viewpoint.better_views.turns_to_try", lambda *_, **__: [])
    return calls


@pytest.fixture
def extractions(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The views in which images are extracted, None where none is asked for."""
    views: list[object] = []
    extract = PointLineMatcher.extract

    def counted(self: PointLineMatcher, *images: object, **options: object) -> object:
        views.append(options.get("views"))
        return extract(self, *images, **options)

    monkeypatch.setattr(PointLineMatcher, "extract", counted)
    return views


@pytest.fixture(scope="module")
def matched(
    tmp_path_factory: pytest.TempPathFactory, small_matcher: PointLineMatcher, photographs: Path
) -> Path:
    """The features and matches of the pairs without further views."""
    output, none = tmp_path_factory.mktemp("matched"), ViewBudget(max_searches=0)
    export_hloc_folder(small_matcher, photographs, PAIRS, output, model="small", views=none)
    return output


@pytest.fixture
def export(
    small_matcher: PointLineMatcher, photographs: Path, matched: Path, tmp_path: Path
) -> Iterator[Callable]:
    def run(*pairs: tuple[str, str], view: str = "auto", out: str = "out", **options) -> HlocFolder:
        small_matcher.view = view
        output = tmp_path / out
        return export_hloc_folder(
            small_matcher, photographs, pairs, output, model="small", **options
        )

    before = small_matcher.view
    shutil.copytree(matched, tmp_path / "out")
    yield run
    small_matcher.view = before


def matched_places(
    written: HlocFolder, pair: tuple[str, ...], matches: str, places: str
) -> tuple[np.ndarray, np.ndarray]:
    """What a pair with a detail matched: the truth, and what was found, px of the detail."""
    partners = read_matches_h5(written.matches, *pair)[matches]
    matched = np.flatnonzero(partners > -1)
    whole, detail = (read_features_h5(written.features, name)[places] for name in pair)
    seen = detail[partners[matched]]
    if pair[1] == "turned.png":
        seen = np.stack([SIZE[0] - 1 - seen[..., 1], seen[..., 0]], axis=-1)
    return whole[matched] @ TO_DETAIL[:, :2].T + TO_DETAIL[:, 2], seen


def errors(written: HlocFolder, *pair: str) -> np.ndarray:
    """How far matches of a pair with a detail are from the truth, px of the whole photograph."""
    true, seen = matched_places(written, pair, "matches0", "keypoints")
    return np.linalg.norm(seen - true, axis=1) / ZOOM


def line_errors(written: HlocFolder, *pair: str) -> np.ndarray:
    """The mean distance of the ends of matched lines from their partners, px of the whole."""
    true, seen = matched_places(written, pair, "line_matches0", "lines")
    along = seen[:, 1] - seen[:, 0]
    away = true - seen[:, :1]
    across = along[:, None, 0] * away[..., 1] - along[:, None, 1] * away[..., 0]
    return np.abs(across).mean(axis=1) / np.linalg.norm(along, axis=1) / ZOOM


def content(written: HlocFolder) -> dict[str, list]:
    with FeaturesReader(written.features) as features, MatchesReader(written.matches) as matches:
        found = {name: features.read(name) for name in features.names()}
        found |= {" ".join(pair): matches.read(*pair) for pair in PAIRS}
    return {
        f"{name}/{key}": array.tolist() for name, own in found.items() for key, array in own.items()
    }


def test_a_detail_matches_in_another_view_only(export: Callable) -> None:
    pair = ("whole.png", "turned.png")
    turned = export(pair, view="turn")
    assert turned.num_view_pairs == 0
    assert (errors(turned, *pair) < 2).sum() < 3
    written = export(pair)
    assert (written.num_new_pairs, written.num_view_pairs) == (0, 1)
    assert written.num_new_view_pairs == 1
    found = errors(written, *pair)
    assert len(found) > 40
    assert np.median(found) < 1
    assert (found < 2).mean() > 0.95
    features = read_features_h5(written.features, "whole.png")
    num_ends = 2 * features["num_view_lines"]
    assert 20 + num_ends < features["num_view_keypoints"] <= len(found) + num_ends
    assert len(features["descriptors"].T) == len(features["scores"]) == len(features["keypoints"])
    assert 5 < features["num_view_lines"] < len(features["lines"])
    found = line_errors(written, *pair)
    assert len(found) > 5
    assert (found < 2).mean() > 0.9


def test_a_view_is_extracted_once_and_a_stopped_run_goes_on(
    export: Callable,
    known_view: list[int],
    extractions: list[object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    killed, add = tmp_path / "killed", MatchesWriter.add_arrays

    def snapshot(self: MatchesWriter, *arguments: object, **options: dict) -> None:
        """Keep what a process leaves that is killed before the first pair in views is written."""
        if "views" in options["origin"] and not killed.exists():
            shutil.copytree(tmp_path / "out", killed)
        add(self, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(MatchesWriter, "add_arrays", snapshot)
        written = export(*PAIRS)
    assert written.num_view_pairs == len(known_view) == 2
    assert len([views for views in extractions if views is not None]) == 1
    assert (errors(written, *PAIRS[1]) < 2).mean() > 0.95
    extractions.clear()
    resumed = export(*PAIRS, out="killed")
    assert (resumed.num_new_pairs, resumed.num_view_pairs) == (0, 2)
    assert extractions == []
    assert content(resumed) == content(written)
    again = export(*PAIRS)
    assert (again.num_view_pairs, len(known_view)) == (2, 4)
    assert (written.num_new_view_pairs, again.num_new_view_pairs) == (2, 0)
    assert content(again) == content(written)


def test_as_many_pairs_are_searched_as_are_allowed(export: Callable, known_view: list[int]) -> None:
    one = ViewBudget(max_searches=1, enough_pairs=1)
    assert export(*PAIRS, view="turn", views=one).num_view_pairs == 0
    assert export(*PAIRS, views=ViewBudget(max_searches=0)).num_view_pairs == 0
    assert export(*PAIRS, views=one).num_view_pairs == 2  # one for each detail
    assert len(known_view) == 2
    with pytest.raises(ValueError, match="max_searches needs to be at least 0"):
        ViewBudget(max_searches=-1)


def test_views_of_other_settings_are_refused(
    export: Callable,
    known_view: list[int],
    small_matcher: PointLineMatcher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    export(PAIRS[0])
    assert export(PAIRS[0], view="turn").num_new_pairs == 0
    other = replace(small_matcher.view_search, whole_size=640)
    monkeypatch.setattr(small_matcher, "view_search", other)
    with pytest.raises(ValueError, match=r"views of another run \(view_search.whole_size was 768"):
        export(PAIRS[0])
