from pathlib import Path

import numpy as np
import pytest
import torch
from counting_matcher import CountingMatcher
from stored_pairs import read_names, read_pair
from torch import Tensor

from gluestick.benchmarks.run.predict import (
    predict,
    prediction_arrays,
    run_configuration,
)
from gluestick.benchmarks.tasks.planar.homography import (
    HomographyBenchmark,
    HomographyBenchmarkConfig,
)
from gluestick.pipeline import PointLineMatcher
from gluestick.timing import StageTimer
from gluestick.types import Matches, Wireframe

CONFIGURATION = {"model": "stub"}


def test_every_pair_is_stored_with_its_seconds(
    benchmark_of_scenes: HomographyBenchmark, matcher: CountingMatcher, tmp_path: Path
) -> None:
    pairs = benchmark_of_scenes.pairs()
    path = tmp_path / "predictions.h5"
    added = predict(benchmark_of_scenes, pairs, matcher, path, configuration=CONFIGURATION)
    assert added == len(pairs) == 4
    assert matcher.num_calls == 5  # one to warm up
    assert read_names(path) == sorted(pair.name for pair in pairs)
    arrays = read_pair(path, pairs[0].name)
    for stage in ("keypoints", "lines", "wireframe", "matching"):
        assert arrays[f"seconds_{stage}"] > 0
    assert arrays["device"].item() == b"cpu"
    assert arrays["threads"] == torch.get_num_threads()
    num_points = len(arrays["keypoints0"])
    assert 20 < num_points <= 100
    for name in ("matches0", "matching_scores0", "candidate_matches0"):
        assert arrays[name].shape == (num_points,)
    assert arrays["matches0"].max() < len(arrays["keypoints1"])
    assert not any("descriptors" in name for name in arrays)


def test_the_device_is_that_of_the_network_not_of_its_matches(
    benchmark_of_scenes: HomographyBenchmark, matcher: CountingMatcher, tmp_path: Path
) -> None:
    matcher.device = torch.device("meta")
    pairs, path = benchmark_of_scenes.pairs()[:1], tmp_path / "predictions.h5"
    predict(benchmark_of_scenes, pairs, matcher, path, configuration=CONFIGURATION)
    assert read_pair(path, pairs[0].name)["device"].item() == b"meta"


def test_a_stopped_run_goes_on(
    benchmark_of_scenes: HomographyBenchmark, matcher: CountingMatcher, tmp_path: Path
) -> None:
    pairs = benchmark_of_scenes.pairs()
    path = tmp_path / "predictions.h5"
    matcher.stop_at = 4
    with pytest.raises(KeyboardInterrupt):
        predict(benchmark_of_scenes, pairs, matcher, path, configuration=CONFIGURATION)
    kept = read_names(path)
    assert kept == sorted(pair.name for pair in pairs[:2])
    before = {name: read_pair(path, name) for name in kept}
    matcher.stop_at, matcher.num_calls = None, 0
    assert predict(benchmark_of_scenes, pairs, matcher, path, configuration=CONFIGURATION) == 2
    assert matcher.num_calls == 3
    for name, arrays in before.items():  # untouched, the seconds too
        for key, value in read_pair(path, name).items():
            np.testing.assert_array_equal(value, arrays[key])
    assert predict(benchmark_of_scenes, pairs, matcher, path, configuration=CONFIGURATION) == 0
    assert matcher.num_calls == 3


def test_a_run_that_is_killed_outright_leaves_whole_pairs(
    benchmark_of_scenes: HomographyBenchmark, tmp_path: Path
) -> None:
    path = tmp_path / "predictions.h5"
    found_at_each_call = []

    class LookingMatcher(CountingMatcher):
        def __call__(
            self, image0: Tensor, image1: Tensor, *, timer: StageTimer
        ) -> tuple[Wireframe, Wireframe, Matches]:
            names = read_names(path) if path.exists() else []
            found_at_each_call.append([len(read_pair(path, name)) for name in names])
            return super().__call__(image0, image1, timer=timer)

    pairs = benchmark_of_scenes.pairs()
    predict(benchmark_of_scenes, pairs, LookingMatcher(), path, configuration=CONFIGURATION)
    numbers = [len(sizes) for sizes in found_at_each_call]
    assert numbers[:3] == [0, 0, 1]
    assert numbers == sorted(numbers)
    assert len({size for sizes in found_at_each_call for size in sizes}) == 1


def test_junctions_that_are_reported_apart_are_left_out(
    small_matcher: PointLineMatcher, scenes: Path
) -> None:
    benchmark = HomographyBenchmark(scenes, HomographyBenchmarkConfig(short_side=None))
    images = benchmark.load(benchmark.pairs()[2])
    wireframe0, wireframe1, matches = small_matcher(*images)
    arrays = prediction_arrays(wireframe0, wireframe1, matches)
    num_junctions = int(wireframe0.num_junctions[0])
    assert num_junctions > 0
    keypoints0, keypoints1 = wireframe0.keypoints[0, num_junctions:], arrays["keypoints1"]
    np.testing.assert_array_equal(arrays["keypoints0"], keypoints0.numpy())
    matched = arrays["matches0"] > -1
    points0, points1 = matches.matched_keypoints(wireframe0, wireframe1)
    np.testing.assert_array_equal(arrays["keypoints0"][matched], points0.numpy())
    np.testing.assert_array_equal(keypoints1[arrays["matches0"][matched]], points1.numpy())
    candidates = arrays["candidate_matches0"]
    np.testing.assert_array_equal(candidates[matched], arrays["matches0"][matched])
    assert (candidates > -1).sum() > matched.sum()
    np.testing.assert_array_equal(candidates > -1, arrays["matching_scores0"] > 0)
    lines = arrays["candidate_line_matches0"]
    np.testing.assert_array_equal(lines > -1, arrays["line_matching_scores0"] > 0)


def test_blank_images_are_stored(matcher: CountingMatcher, tmp_path: Path) -> None:
    blank = torch.full((3, 60, 80), 0.5)
    arrays = prediction_arrays(*matcher.matcher(blank, blank))
    assert arrays["keypoints0"].shape == (0, 2)
    assert arrays["lines0"].shape == (0, 2, 2)
    assert arrays["candidate_matches0"].shape == (0,)
    assert arrays["candidate_line_matches0"].shape == (0,)


def test_the_configuration_leaves_out_what_concerns_scoring(
    benchmark_of_scenes: HomographyBenchmark, matcher: CountingMatcher
) -> None:
    configuration = run_configuration(
        benchmark_of_scenes, matcher, model="stub", max_num_keypoints=150, max_num_lines=None
    )
    assert configuration["settings"] == {"short_side": 120}
    assert configuration["model"] == "stub"
    assert configuration["data_dir"] == str(benchmark_of_scenes.data_dir.resolve())
