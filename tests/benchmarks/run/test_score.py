import shutil
from pathlib import Path

import numpy as np
import pytest
from counting_matcher import CountingMatcher

from gluestick.benchmarks.run.predict import predict, run_configuration
from gluestick.benchmarks.run.score import Results, read_results, score, stage_seconds
from gluestick.benchmarks.run.store import PairWriter, read_configuration
from gluestick.benchmarks.tasks.homography import HomographyBenchmark, HomographyBenchmarkConfig


@pytest.fixture(scope="module")
def predicted(
    benchmark_of_scenes: HomographyBenchmark, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("predicted") / "predictions.h5"
    matcher = CountingMatcher()
    configuration = run_configuration(
        benchmark_of_scenes, matcher, model="stub", max_num_keypoints=150, max_num_lines=250
    )
    pairs = benchmark_of_scenes.pairs()
    predict(benchmark_of_scenes, pairs, matcher, path, configuration=configuration)
    return path


@pytest.fixture
def predictions(predicted: Path, tmp_path: Path) -> Path:
    return shutil.copy(predicted, tmp_path / "predictions.h5")


def score_again(benchmark: HomographyBenchmark, predictions: Path, name: str) -> Results:
    path = predictions.with_name(name)
    score(benchmark, benchmark.pairs(), predictions, path)
    return read_results(path)


def test_scoring_twice_gives_the_same(
    benchmark_of_scenes: HomographyBenchmark, predictions: Path
) -> None:
    first = score_again(benchmark_of_scenes, predictions, "results.h5")
    second = score_again(benchmark_of_scenes, predictions, "results.h5")
    assert first.pairs == second.pairs
    for own, other in zip(first.scores, second.scores, strict=True):
        assert own.keys() == other.keys()
        for key in own.keys() - {"seconds_estimation"}:
            np.testing.assert_array_equal(own[key], other[key])


def test_results_hold_pairs_groups_and_seconds(
    benchmark_of_scenes: HomographyBenchmark, predictions: Path
) -> None:
    results = score_again(benchmark_of_scenes, predictions, "results.h5")
    pairs = benchmark_of_scenes.pairs()
    assert [pair.name for pair in results.pairs] == [pair.name for pair in pairs]
    assert [pair.apart for pair in results.pairs] == [False, True, False, False]
    assert results.pairs[1].groups == {"change": "extreme viewpoint"}
    assert results.devices == ["cpu"]
    assert results.threads == [1]
    assert results.configuration["settings"] == {"short_side": 120, "max_error": 3.0}
    seconds = stage_seconds(results.scores)
    assert list(seconds) == ["keypoints", "lines", "wireframe", "matching", "estimation"]
    values = [pair["seconds_matching"] for pair in results.scores]
    assert seconds["matching"] == np.median(values)


def test_other_settings_for_scoring_are_allowed_and_others_refused(
    scenes: Path, predictions: Path
) -> None:
    strict = HomographyBenchmark(scenes, HomographyBenchmarkConfig(short_side=120, max_error=1.0))
    assert score_again(strict, predictions, "strict.h5").configuration["settings"]["max_error"] == 1
    large = HomographyBenchmark(scenes, HomographyBenchmarkConfig(short_side=None))
    with pytest.raises(ValueError, match="short_side"):
        score_again(large, predictions, "large.h5")


def test_missing_predictions_are_counted(
    benchmark_of_scenes: HomographyBenchmark, predictions: Path
) -> None:
    few = predictions.with_name("few.h5")
    with PairWriter(few, read_configuration(predictions)) as writer:
        writer.add("v_wall/2", {"value": 1.0})
    with pytest.raises(ValueError, match="lacks 3 of 4 pairs"):
        score_again(benchmark_of_scenes, few, "results.h5")


def test_damaged_predictions_are_one_error(
    benchmark_of_scenes: HomographyBenchmark, predictions: Path
) -> None:
    predictions.write_bytes(predictions.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"predictions\.h5"):
        score_again(benchmark_of_scenes, predictions, "results.h5")


def test_incomplete_entries_are_named(
    benchmark_of_scenes: HomographyBenchmark, predictions: Path
) -> None:
    broken = predictions.with_name("broken.h5")
    with PairWriter(broken, read_configuration(predictions)) as writer:
        for pair in benchmark_of_scenes.pairs():
            writer.add(pair.name, {"seconds_matching": 1.0})
    with pytest.raises(ValueError, match="is damaged"):
        score_again(benchmark_of_scenes, broken, "results.h5")


def test_results_of_something_else_are_refused(predictions: Path) -> None:
    with pytest.raises(ValueError, match="is damaged"):
        read_results(predictions)
