import math
from pathlib import Path

import cv2
import numpy as np
import torch

from gluestick.benchmarks.run.predict import prediction_arrays
from gluestick.benchmarks.tasks.planar.synthetic import SyntheticBenchmark
from gluestick.datasets.synthetic_pairs import SyntheticPairsConfig, draw_synthetic_pairs

SMALL = {"width": 240, "height": 180}


def test_pairs_are_those_of_the_data_set(photographs: Path) -> None:
    config = SyntheticPairsConfig(**SMALL, seed=2)
    benchmark = SyntheticBenchmark(photographs, config)
    made = draw_synthetic_pairs(photographs, config)
    pairs = benchmark.pairs()
    assert [pair.name for pair in pairs] == [pair.name for pair in made]
    for pair, expected in zip(pairs, made, strict=True):
        np.testing.assert_array_equal(pair.truth.H_0to1, expected.H_0to1)
        assert all(map(torch.equal, benchmark.load(pair), expected.load()))


def test_groups_tell_how_strong_the_changes_are(photographs: Path) -> None:
    config = SyntheticPairsConfig(pairs_per_photograph=40, max_turn=180.0)
    pairs = SyntheticBenchmark(photographs, config).pairs()
    rotations = {pair.groups["rotation"] for pair in pairs}
    assert rotations <= {f"{low}-{low + 15}" for low in range(0, 180, 15)}
    assert len(rotations) >= 10
    assert {"1-1.1", "1.1-1.25"} <= {pair.groups["scale"] for pair in pairs}
    assert {"30-45", "45-60"} <= {pair.groups["viewpoint"] for pair in pairs}
    assert {"0-0.05", "0.3 and more"} <= {pair.groups["illumination"] for pair in pairs}


def test_matches_are_scored(photographs: Path, matcher) -> None:
    benchmark = SyntheticBenchmark(photographs, SyntheticPairsConfig(**SMALL, difficulty=0.3))
    pair = benchmark.pairs()[0]
    scores = benchmark.score(pair, prediction_arrays(*matcher.matcher(*benchmark.load(pair))))
    figures = benchmark.summarize([scores])
    assert set(benchmark.headline) <= set(figures)
    for name, value in figures.items():
        if "num_" not in name:
            assert 0 <= value <= 1
    assert figures["points/precision@3px"] > 0.2
    assert scores["points/right"].shape == (figures["points/num_matches"],)
    assert scores["lines/right"].shape == (figures["lines/num_matches"],)
    assert 0 <= scores["missed"] <= 1


def test_matches_of_an_image_with_itself_are_right(photographs: Path, matcher) -> None:
    benchmark = SyntheticBenchmark(
        photographs, SyntheticPairsConfig(**SMALL, difficulty=0.0, photometric_probability=0.0)
    )
    pair = benchmark.pairs()[0]
    image0, image1 = benchmark.load(pair)
    torch.testing.assert_close(image0, image1)
    figures = benchmark.summarize(
        [benchmark.score(pair, prediction_arrays(*matcher.matcher(image0, image1)))]
    )
    assert figures["points/precision@3px"] > 0.97
    assert figures["lines/precision"] > 0.97
    assert figures["lines/overlap_precision"] == 1
    for features in ("points", "lines", "points_lines"):
        assert figures[f"{features}/auc@1px"] > 0.9


def test_blank_photographs_are_scored(tmp_path: Path, matcher) -> None:
    cv2.imwrite(str(tmp_path / "blank.png"), np.full((120, 160, 3), 90, np.uint8))
    config = SyntheticPairsConfig(**SMALL, photometric_probability=0.0)
    benchmark = SyntheticBenchmark(tmp_path, config)
    pair = benchmark.pairs()[0]
    scores = benchmark.score(pair, prediction_arrays(*matcher.matcher(*benchmark.load(pair))))
    figures = benchmark.summarize([scores])
    assert figures["points/num_matches"] == 0
    assert scores["points_lines/corner_error"] == math.inf
    assert figures["points_lines/auc@5px"] == 0
    assert math.isnan(figures["lines/ap"])
