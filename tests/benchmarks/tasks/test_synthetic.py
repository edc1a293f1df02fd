import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from gluestick.benchmarks.run.predict import prediction_arrays
from gluestick.benchmarks.tasks.synthetic import SyntheticBenchmark, SyntheticConfig

SMALL = {"width": 240, "height": 180}


def test_pairs_depend_on_seed_and_photograph_alone(photographs: Path) -> None:
    everything = SyntheticBenchmark(photographs).pairs()
    assert [pair.name for pair in everything] == [
        f"{name}#{number}" for name in ("a.jpg", "b.jpg", "more/0016.jpg") for number in (0, 1)
    ]
    held_out = SyntheticBenchmark(photographs, SyntheticConfig(holdout=True)).pairs()
    assert [pair.name for pair in held_out] == ["more/0016.jpg#0", "more/0016.jpg#1"]
    by_name = {pair.name: pair for pair in everything}
    for pair in held_out:
        np.testing.assert_array_equal(pair.truth[1].H, by_name[pair.name].truth[1].H)
        assert pair.truth[0].change == by_name[pair.name].truth[0].change
    other = SyntheticBenchmark(photographs, SyntheticConfig(seed=1)).pairs()
    assert not np.allclose(other[0].truth[0].H, everything[0].truth[0].H)
    assert not np.allclose(everything[0].truth[0].H, everything[1].truth[0].H)


def test_a_number_of_photographs_is_drawn(photographs: Path) -> None:
    config = SyntheticConfig(num_photographs=2, pairs_per_photograph=3)
    pairs = SyntheticBenchmark(photographs, config).pairs()
    assert len({pair.name.split("#")[0] for pair in pairs}) == 2
    assert len(pairs) == 6


def test_groups_tell_how_strong_the_changes_are(photographs: Path) -> None:
    config = SyntheticConfig(pairs_per_photograph=40, max_turn=180.0)
    pairs = SyntheticBenchmark(photographs, config).pairs()
    rotations = {pair.groups["rotation"] for pair in pairs}
    assert rotations <= {f"{low}-{low + 15}" for low in range(0, 180, 15)}
    assert len(rotations) >= 10
    assert {"1-1.1", "1.1-1.25"} <= {pair.groups["scale"] for pair in pairs}
    assert {"30-45", "45-60"} <= {pair.groups["viewpoint"] for pair in pairs}
    assert {"0-0.05", "0.3 and more"} <= {pair.groups["illumination"] for pair in pairs}


def test_the_images_show_what_the_homography_says(photographs: Path) -> None:
    config = SyntheticConfig(photometric_probability=0.0)
    benchmark = SyntheticBenchmark(photographs, config)
    for pair in benchmark.pairs()[:4]:
        image0, image1 = (image.permute(1, 2, 0).numpy() for image in benchmark.load(pair))
        assert image0.shape == (480, 640, 3)
        H = pair.truth[1].H @ np.linalg.inv(pair.truth[0].H)
        inside = cv2.warpPerspective(np.ones((480, 640), np.float32), H, (640, 480)) == 1
        inside = cv2.erode(inside.astype(np.uint8), np.ones((9, 9))) > 0
        difference = abs(cv2.warpPerspective(image0, H, (640, 480)) - image1)[inside]
        assert inside.mean() > 0.1
        assert difference.mean() < 0.02


def test_matches_are_scored(photographs: Path, matcher) -> None:
    benchmark = SyntheticBenchmark(photographs, SyntheticConfig(**SMALL, difficulty=0.3))
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
        photographs, SyntheticConfig(**SMALL, difficulty=0.0, photometric_probability=0.0)
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


def test_blank_photographs_are_scored(tmp_path: Path, matcher) -> None:
    cv2.imwrite(str(tmp_path / "blank.png"), np.full((120, 160, 3), 90, np.uint8))
    config = SyntheticConfig(**SMALL, photometric_probability=0.0)
    benchmark = SyntheticBenchmark(tmp_path, config)
    pair = benchmark.pairs()[0]
    scores = benchmark.score(pair, prediction_arrays(*matcher.matcher(*benchmark.load(pair))))
    figures = benchmark.summarize([scores])
    assert figures["points/num_matches"] == 0
    assert math.isnan(figures["lines/ap"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"width": 0}, "width"),
        ({"num_photographs": 0}, "num_photographs"),
        ({"seed": -1}, "seed"),
        ({"pairs_per_photograph": 0}, "pairs_per_photograph"),
        ({"difficulty": 2.0}, "difficulty"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SyntheticConfig(**options)


def test_nothing_held_out_is_an_error(photographs: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes((photographs / "a.jpg").read_bytes())
    with pytest.raises(ValueError, match="holdout"):
        SyntheticBenchmark(tmp_path, SyntheticConfig(holdout=True)).pairs()
