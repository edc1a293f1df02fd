import math
from pathlib import Path

import numpy as np
import pytest

from gluestick.benchmarks.run.predict import prediction_arrays
from gluestick.benchmarks.tasks.planar.homography import (
    HomographyBenchmark,
    HomographyBenchmarkConfig,
)
from gluestick.benchmarks.tasks.protocol import Prediction
from gluestick.geometry.homography import transform_lines, transform_points


def test_pairs_follow_hpatches_layout(benchmark_of_scenes: HomographyBenchmark) -> None:
    pairs = benchmark_of_scenes.pairs()
    assert [pair.name for pair in pairs] == ["i_wall/2", "v_evd_wall/2", "v_wall/2", "v_wall/3"]
    assert [pair.groups["change"] for pair in pairs] == [
        "illumination",
        "extreme viewpoint",
        "viewpoint",
        "viewpoint",
    ]
    assert [pair.apart for pair in pairs] == [False, True, False, False]


@pytest.mark.parametrize(
    ("short_side", "size"), [(480, (480, 640)), (90, (90, 120)), (None, (180, 240))]
)
def test_images_are_resized(scenes: Path, short_side: int | None, size: tuple[int, int]) -> None:
    benchmark = HomographyBenchmark(scenes, HomographyBenchmarkConfig(short_side=short_side))
    for image in benchmark.load(benchmark.pairs()[0]):
        assert image.shape == (3, *size)


def perfect_prediction(H: np.ndarray, *, size: tuple[int, int]) -> Prediction:
    rng = np.random.default_rng(0)
    points = rng.uniform(0.2, 0.8, (60, 2)) * size
    lines = rng.uniform(0.2, 0.8, (30, 2, 2)) * size
    identity = np.arange(60)
    return {
        "image_size0": np.array(size),
        "image_size1": np.array(size),
        "keypoints0": points.astype(np.float32),
        "keypoints1": transform_points(H, points).astype(np.float32),
        "lines0": lines.astype(np.float32),
        "lines1": transform_lines(H, lines).astype(np.float32),
        "matches0": identity,
        "candidate_matches0": identity,
        "matching_scores0": np.ones(60, np.float32),
        "line_matches0": identity[:30],
        "candidate_line_matches0": identity[:30],
        "line_matching_scores0": np.ones(30, np.float32),
    }


@pytest.mark.parametrize("short_side", [None, 480])
def test_true_matches_get_full_marks(scenes: Path, short_side: int | None) -> None:
    benchmark = HomographyBenchmark(scenes, HomographyBenchmarkConfig(short_side=short_side))
    pair = benchmark.pairs()[2]
    scale = 1.0 if short_side is None else 480 / 180
    # Pixel centres: x -> (x + 0.5) * scale - 0.5.
    resize = np.array([[scale, 0, (scale - 1) / 2], [0, scale, (scale - 1) / 2], [0, 0, 1]])
    H = resize @ pair.truth.H_0to1 @ np.linalg.inv(resize)
    size = (round(240 * scale), round(180 * scale))
    figures = benchmark.summarize([benchmark.score(pair, perfect_prediction(H, size=size))])
    for features in ("points", "lines", "points_lines"):
        assert figures[f"{features}/median_corner_error"] < 0.05
        assert figures[f"{features}/auc@1px"] > 0.94
    assert figures["points/precision@1px"] == 1
    assert figures["points/num_matches"] == 60
    assert figures["lines/num_matches"] == 30
    assert figures["lines/overlap_precision"] == 1
    assert figures["lines/precision"] == figures["lines/recall"] > 0.9


def test_shifted_matches_get_what_they_deserve(scenes: Path) -> None:
    benchmark = HomographyBenchmark(scenes, HomographyBenchmarkConfig(short_side=None))
    pair = benchmark.pairs()[2]
    shift = np.array([[1.0, 0, 2.0], [0, 1, 0], [0, 0, 1]])
    prediction = perfect_prediction(shift @ pair.truth.H_0to1, size=(240, 180))
    figures = benchmark.summarize([benchmark.score(pair, prediction)])
    assert figures["points/median_corner_error"] == pytest.approx(2, abs=0.05)
    assert figures["points/auc@1px"] == 0
    assert figures["points/auc@5px"] == pytest.approx(0.8, abs=0.02)
    assert figures["points/precision@1px"] == 0
    assert figures["points/precision@3px"] == 1


def test_no_matches_give_no_homography(scenes: Path, matcher) -> None:
    benchmark = HomographyBenchmark(scenes)
    pair = benchmark.pairs()[0]
    images = [image * 0 + 0.5 for image in benchmark.load(pair)]
    scores = benchmark.score(pair, prediction_arrays(*matcher.matcher(*images)))
    assert scores["points_lines/corner_error"] == math.inf
    figures = benchmark.summarize([scores])
    assert figures["points/auc@5px"] == 0
    assert figures["points/precision@3px"] == 0


def test_no_pairs_give_no_figures(benchmark_of_scenes: HomographyBenchmark) -> None:
    figures = benchmark_of_scenes.summarize([])
    assert set(benchmark_of_scenes.headline) <= set(figures)
    assert all(math.isnan(value) for value in figures.values())


def test_a_changed_image_is_noticed(benchmark_of_scenes: HomographyBenchmark) -> None:
    pair = benchmark_of_scenes.pairs()[0]
    with pytest.raises(ValueError, match="has changed"):
        benchmark_of_scenes.score(pair, perfect_prediction(np.eye(3), size=(99, 99)))


def test_bad_folders(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no folder"):
        HomographyBenchmark(tmp_path / "nowhere").pairs()
    with pytest.raises(ValueError, match="found none"):
        HomographyBenchmark(tmp_path).pairs()
    scene = tmp_path / "v_a"
    scene.mkdir()
    np.savetxt(scene / "H_1_2", np.eye(3))
    benchmark = HomographyBenchmark(tmp_path)
    with pytest.raises(ValueError, match="image 1"):
        benchmark.load(benchmark.pairs()[0])
    (scene / "H_1_3").write_text("1 2 3")
    with pytest.raises(ValueError, match="H_1_3"):
        benchmark.pairs()
