import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from counting_matcher import CountingMatcher
from stored_pairs import read_configuration

from gluestick.benchmarks.run.predict import predict, run_configuration
from gluestick.benchmarks.run.score import Results, read_results, score, stage_seconds
from gluestick.benchmarks.run.store import PairReader, PairWriter
from gluestick.benchmarks.tasks.planar.homography import (
    HomographyBenchmark,
    HomographyBenchmarkConfig,
)
from gluestick.benchmarks.tasks.protocol import Pair, Prediction, Scores


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


class CountingBenchmark:
    """Notes which pairs are scored, and may stop before one."""

    def __init__(self, benchmark: HomographyBenchmark, stop_at: int | None = None) -> None:
        self.benchmark = benchmark
        self.scored: list[str] = []
        self.stop_at = stop_at

    def __getattr__(self, name: str) -> Any:
        return getattr(self.benchmark, name)

    def score(self, pair: Pair, prediction: Prediction) -> Scores:
        if len(self.scored) == self.stop_at:
            raise KeyboardInterrupt
        self.scored.append(pair.name)
        return self.benchmark.score(pair, prediction)


def scored_again(benchmark: HomographyBenchmark, predictions: Path) -> list[str]:
    counting = CountingBenchmark(benchmark)
    score(counting, benchmark.pairs(), predictions, predictions.with_name("results.h5"))
    assert set(predictions.parent.iterdir()) == {predictions, predictions.with_name("results.h5")}
    return counting.scored


def test_scores_are_kept_pair_by_pair(
    benchmark_of_scenes: HomographyBenchmark, predictions: Path, tmp_path: Path
) -> None:
    pairs = benchmark_of_scenes.pairs()
    names = [pair.name for pair in pairs]
    results = predictions.with_name("results.h5")
    with pytest.raises(KeyboardInterrupt):
        score(CountingBenchmark(benchmark_of_scenes, stop_at=3), pairs, predictions, results)
    assert not results.exists()
    assert scored_again(benchmark_of_scenes, predictions) == names[3:]
    found = read_results(results)
    assert [pair.name for pair in found.pairs] == names
    assert "digest" not in found.scores[0]
    assert scored_again(benchmark_of_scenes, predictions) == []
    again = read_results(results)
    assert again.pairs == found.pairs
    for own, other in zip(found.scores, again.scores, strict=True):
        for key in own.keys() | other.keys():  # the seconds too
            np.testing.assert_array_equal(own[key], other[key])


def test_the_order_and_the_choice_of_pairs_may_change(
    benchmark_of_scenes: HomographyBenchmark, predictions: Path
) -> None:
    pairs = benchmark_of_scenes.pairs()
    results = predictions.with_name("results.h5")
    with pytest.raises(KeyboardInterrupt):
        score(CountingBenchmark(benchmark_of_scenes, stop_at=2), pairs, predictions, results)
    score(benchmark_of_scenes, pairs[2:], predictions, results)
    assert len(read_results(results).pairs) == 2
    score(benchmark_of_scenes, pairs, predictions, results)
    counting = CountingBenchmark(benchmark_of_scenes)
    score(counting, pairs[:0:-1], predictions, results)
    assert counting.scored == []
    assert [pair.name for pair in read_results(results).pairs] == [
        pair.name for pair in pairs[:0:-1]
    ]


def test_other_settings_predictions_or_code_are_scored_again(
    benchmark_of_scenes: HomographyBenchmark,
    scenes: Path,
    predictions: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = [pair.name for pair in benchmark_of_scenes.pairs()]
    results = predictions.with_name("results.h5")
    assert scored_again(benchmark_of_scenes, predictions) == names
    strict = HomographyBenchmark(scenes, HomographyBenchmarkConfig(short_side=120, max_error=1.0))
    before = results.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        score(CountingBenchmark(strict, stop_at=2), strict.pairs(), predictions, results)
    assert results.read_bytes() == before  # until all are there
    assert scored_again(strict, predictions) == names[2:]
    with PairWriter(predictions, read_configuration(predictions)) as writer:
        writer.add(names[1], writer.read(names[1]) | {"seconds_matching": 5.0})
    assert scored_again(strict, predictions) == names[1:2]
    assert stage_seconds(read_results(results).scores[1:2])["matching"] == 5
    monkeypatch.setattr("gluestick.benchmarks.run.rescoring.code_digest", lambda: b"other")
    assert scored_again(strict, predictions) == names


def test_damaged_results_are_written_again(
    benchmark_of_scenes: HomographyBenchmark, predictions: Path
) -> None:
    predictions.with_name("results.h5").write_text("not HDF5")
    assert len(scored_again(benchmark_of_scenes, predictions)) == 4


def test_pairs_of_one_unit_are_scored_with_those_before_them(predictions: Path) -> None:
    """A score that counts the pairs of its unit so far is right after every stop."""

    class Cumulative:
        name = "homography"
        config = HomographyBenchmarkConfig(short_side=120)
        scoring_fields = ("max_error",)

        def __init__(self) -> None:
            self.unit, self.seen = "", 0
            self.left = 0

        def score(self, pair: Pair, prediction: Prediction) -> Scores:
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            self.seen = self.seen + 1 if pair.unit == self.unit else 1
            self.unit = pair.unit
            return {"seen": self.seen}

    with PairReader(predictions) as reader:
        names = reader.names()
    pairs = [
        Pair(name=name, unit=unit) for name, unit in zip(names, ["a", "a", "a", "b"], strict=True)
    ]
    results = predictions.with_name("results.h5")
    for stop in range(4):
        benchmark = Cumulative()
        benchmark.left = stop
        with pytest.raises(KeyboardInterrupt):
            score(benchmark, pairs, predictions, results)
    benchmark.left = 10
    score(benchmark, pairs, predictions, results)
    assert [scores["seen"] for scores in read_results(results).scores] == [1, 2, 3, 1]
