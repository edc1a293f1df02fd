from pathlib import Path

import cv2
import numpy as np
import pytest
from posed_scenes import (
    CAMERA,
    POSE,
    SIZE,
    pair_line,
    prediction,
    projections,
    save_image,
)

from gluestick.benchmarks.tasks.posed.lines3d import Lines3dBenchmark, Lines3dConfig
from gluestick.geometry.points import to_homogeneous

DEPTH = 4.0
WALL_NORMAL = np.array([0.0, 0.0, 1.0])


def wall_depth(side: int) -> np.ndarray:
    """Return the depth [H, W] of a wall 4 m ahead of camera 0."""
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    rays = to_homogeneous(np.stack([x, y], axis=-1).astype(float)) @ np.linalg.inv(CAMERA.K).T
    if side == 0:
        return np.full(SIZE[::-1], DEPTH)
    normal = POSE.R @ WALL_NORMAL
    return (DEPTH + normal @ POSE.t) / (rays @ normal)


def benchmark(folder: Path, *, hole: bool = False) -> Lines3dBenchmark:
    for side in (0, 1):
        save_image(folder / "images" / f"{side}.jpg", seed=side)
        millimetres = np.round(1000 * wall_depth(side)).astype(np.uint16)
        if hole:
            millimetres[:, : SIZE[0] // 2] = 0
        (folder / "depths").mkdir(exist_ok=True)
        cv2.imwrite(str(folder / "depths" / f"{side}.png"), millimetres)
    (folder / "pairs_with_gt.txt").write_text(pair_line("0.jpg", "1.jpg"))
    return Lines3dBenchmark(folder)


def wall_points() -> np.ndarray:
    """Return points [N, 3] of the wall that both images show, far from each other."""
    x, y = np.meshgrid(np.linspace(-0.5, 1.5, 5), np.linspace(-1.2, 1.2, 4))
    return np.stack([x.ravel(), y.ravel(), np.full(x.size, DEPTH)], axis=1)


def wall_lines() -> np.ndarray:
    """Return horizontal segments [L, 2, 3] of the wall."""
    y = np.linspace(-1.2, 1.2, 6)
    ends = [np.stack([np.full(6, x), y, np.full(6, DEPTH)], axis=1) for x in (-0.4, 1.4)]
    return np.stack(ends, axis=1)


def test_true_matches_are_right(tmp_path: Path) -> None:
    own = benchmark(tmp_path)
    (pair,) = own.pairs()
    assert [tuple(image.shape) for image in own.load(pair)] == [(3, *SIZE[::-1])] * 2
    scores = own.score(pair, prediction(projections(wall_points()), projections(wall_lines())))
    figures = own.summarize([scores])
    for kind in ("points/precision@5px", "points/recall@5px", "points/ap@5px"):
        assert figures[kind] == 1
    for kind in ("precision", "recall", "ap", "overlap_precision"):
        assert figures[f"lines/{kind}"] == 1
    assert scores["points/num_true"] == len(wall_points())
    assert scores["lines/num_true"] == len(wall_lines())
    assert scores["missed"] == 0
    assert set(own.headline) <= set(figures)


def test_wrong_matches_count(tmp_path: Path) -> None:
    own = benchmark(tmp_path)
    (pair,) = own.pairs()
    found = prediction(projections(wall_points()), projections(wall_lines()))
    found["line_matches0"] = found["candidate_line_matches0"] = np.array([1, 0, 2, 3, 4, -1])
    found["matches0"] = found["candidate_matches0"] = np.roll(found["matches0"], 1)
    scores = own.score(pair, found)
    figures = own.summarize([scores])
    assert figures["lines/precision"] == pytest.approx(3 / 5)
    assert figures["lines/overlap_precision"] == pytest.approx(3 / 5)
    assert figures["lines/recall"] == pytest.approx(3 / 6)
    assert scores["lines/right"].tolist() == [False, False, True, True, True]
    assert figures["points/precision@5px"] == 0
    assert not scores["points/right"].any()


def test_a_fragment_overlaps_the_true_line(tmp_path: Path) -> None:
    own = benchmark(tmp_path)
    (pair,) = own.pairs()
    lines0, lines1 = projections(wall_lines())
    middle = lines1.mean(axis=1)
    lines1[0, 1], fragment = middle[0], np.stack([middle[0], lines1[0, 1]])
    found = prediction(
        projections(wall_points()), (lines0, np.concatenate([lines1[1:], lines1[:1], [fragment]]))
    )
    found["line_matches0"] = found["candidate_line_matches0"] = np.array([6, 0, 1, 2, 3, 4])
    figures = own.summarize([own.score(pair, found)])
    assert figures["lines/overlap_precision"] == 1


def test_unknown_depth_is_left_out(tmp_path: Path) -> None:
    own = benchmark(tmp_path, hole=True)
    (pair,) = own.pairs()
    scores = own.score(pair, prediction(projections(wall_points()), projections(wall_lines())))
    assert 0 < scores["points/num_true"] < len(wall_points())
    assert own.summarize([scores])["points/precision@5px"] == 1


def test_the_distance_names_the_figures(tmp_path: Path) -> None:
    benchmark(tmp_path)
    own = Lines3dBenchmark(tmp_path, Lines3dConfig(point_distance=2.5, depth_error=None))
    (pair,) = own.pairs()
    points0, points1 = projections(wall_points())
    points1[:, 0] += 4  # farther than 2.5 px, but not so far that there is no partner
    scores = own.score(pair, prediction((points0, points1)))
    figures = own.summarize([scores])
    assert scores["points/num_true"] == len(scores["points/correct"]) == 0
    assert np.isnan(figures["points/recall@2.5px"])
    assert "points/ap@2.5px" in own.headline


def test_nothing_found(tmp_path: Path) -> None:
    own = benchmark(tmp_path)
    (pair,) = own.pairs()
    scores = own.score(pair, prediction((np.zeros((0, 2)), np.zeros((0, 2)))))
    assert scores["missed"] == 1
    assert np.isnan(own.summarize([scores])["lines/ap"])
    assert np.isnan(own.summarize([])["points/ap@5px"])


def test_bad_input(tmp_path: Path) -> None:
    own = benchmark(tmp_path)
    (pair,) = own.pairs()
    other = prediction(projections(wall_points())) | {"image_size1": np.array([80, 60])}
    with pytest.raises(ValueError, match="80 x 60, found 160 x 120"):
        own.score(pair, other)
    (tmp_path / "depths" / "1.png").unlink()
    with pytest.raises(ValueError, match="no depth map"):
        own.pairs()
    (tmp_path / "pairs_with_gt.txt").unlink()
    with pytest.raises(ValueError, match="needs a list of pairs"):
        own.pairs()
    with pytest.raises(ValueError, match="no folder"):
        Lines3dBenchmark(tmp_path / "missing").pairs()
    with pytest.raises(ValueError, match="line_distance"):
        Lines3dConfig(line_distance=0)
