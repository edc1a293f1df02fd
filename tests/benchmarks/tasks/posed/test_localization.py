from pathlib import Path

import numpy as np
import pytest
from colmap_scenes import LINES, POINTS, pixels, write_model
from posed_scenes import SIZE, prediction

from gluestick.benchmarks.run.runner import select_pairs
from gluestick.benchmarks.tasks.posed.localization import LocalizationBenchmark, LocalizationConfig

pytest.importorskip("pycolmap", reason="reads a COLMAP model (extra sfm)")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_model(tmp_path)
    (tmp_path / "pairs.txt").write_text("query.png far.png\nquery.png near.png\n")
    return tmp_path


def found(reference: str, points: np.ndarray, lines: np.ndarray) -> dict[str, np.ndarray]:
    """Return what a perfect matcher finds between the query and a reference."""
    names = ("query.png", reference)
    views = [(pixels(name, points), pixels(name, lines)) for name in names]
    return prediction((views[0][0], views[1][0]), (views[0][1], views[1][1]))


NO_POINTS, NO_LINES = np.zeros((0, 3)), np.zeros((0, 2, 3))


def test_references_add_up(folder: Path) -> None:
    own = LocalizationBenchmark(folder)
    far, near = own.pairs()
    assert (far.name, near.name) == ("query.png|far.png", "query.png|near.png")
    assert (far.apart, near.apart) == (True, False)
    assert [pair.groups["references"] for pair in (far, near)] == ["1", "2"]
    assert [tuple(image.shape) for image in own.load(near)] == [(3, *SIZE[::-1])] * 2
    # Three points leave several poses; with those of the second reference there is one.
    first = own.score(far, found("far.png", POINTS[:3], NO_LINES))
    second = own.score(near, found("near.png", POINTS[10:20], NO_LINES))
    assert first["points/translation_error"] == np.inf
    assert second["num_points"] == 13
    assert second["points/translation_error"] < 1e-3
    assert second["points/rotation_error"] < 0.05
    figures = own.summarize([second])
    assert figures["points/recall@0.05m,5deg"] == 1
    assert set(own.headline) <= set(figures)


def test_another_query_begins_anew(folder: Path) -> None:
    (folder / "pairs.txt").write_text("query.png near.png\nfar.png near.png\n")
    own = LocalizationBenchmark(folder)
    first, second = own.pairs()
    own.score(first, found("near.png", POINTS, NO_LINES))
    assert own.score(second, found("near.png", POINTS[:2], NO_LINES))["num_points"] == 2


def test_a_limit_takes_whole_queries(folder: Path) -> None:
    listed = [("query.png", "far.png"), ("query.png", "near.png"), ("far.png", "near.png")]
    (folder / "pairs.txt").write_text("".join(f"{a} {b}\n" for a, b in listed))
    own = LocalizationBenchmark(folder)
    (first, second) = select_pairs(own.pairs(), num_pairs=1)
    assert [first.name, second.name] == ["query.png|far.png", "query.png|near.png"]
    assert not second.apart
    assert len(select_pairs(own.pairs(), num_pairs=2)) == 3


def test_lines_localize_where_points_do_not(folder: Path) -> None:
    (folder / "pairs.txt").write_text("query.png near.png\n")
    own = LocalizationBenchmark(folder)
    (pair,) = own.pairs()
    scores = own.score(pair, found("near.png", POINTS[:2], LINES))
    assert scores["num_lines"] > 6
    assert scores["points/translation_error"] == np.inf
    assert scores["points_lines/translation_error"] < 1e-2
    figures = own.summarize([scores])
    assert figures["points/recall@5m,10deg"] == 0
    assert figures["points_lines/recall@0.05m,5deg"] == 1


def test_units(folder: Path) -> None:
    (folder / "pairs.txt").write_text("query.png near.png\n")
    shifted = found("near.png", POINTS, NO_LINES)
    rng = np.random.default_rng(0)
    shifted["keypoints0"] = shifted["keypoints0"] + rng.normal(0, 1, shifted["keypoints0"].shape)
    errors = []
    for metres in (1.0, 0.5):
        own = LocalizationBenchmark(folder, LocalizationConfig(metres_per_unit=metres))
        errors.append(own.score(own.pairs()[0], shifted)["points/translation_error"])
    assert errors[0] > 1e-3
    assert errors[1] == pytest.approx(errors[0] / 2)


def test_nothing_found_and_bad_input(folder: Path) -> None:
    own = LocalizationBenchmark(folder)
    scores = own.score(own.pairs()[1], found("near.png", NO_POINTS, NO_LINES))
    assert scores["points_lines/rotation_error"] == np.inf
    assert np.isnan(own.summarize([])["points/recall@0.05m,5deg"])
    with pytest.raises(ValueError, match="no folder"):
        LocalizationBenchmark(folder / "missing").pairs()
    with pytest.raises(ValueError, match="max_references"):
        LocalizationConfig(max_references=0)
