import json
import math
from pathlib import Path

import pytest
from counting_matcher import CountingMatcher

from gluestick.benchmarks.run.runner import (
    PREDICTIONS,
    run_benchmark,
    score_predictions,
    select_pairs,
)
from gluestick.benchmarks.run.score import Results
from gluestick.benchmarks.run.summary import figure, group_labels, nest, write_json
from gluestick.benchmarks.tasks.planar.homography import HomographyBenchmark
from gluestick.benchmarks.tasks.protocol import Pair


def test_figures_nest_at_slashes() -> None:
    figures = {"points/auc@5px": 0.5, "points/num_matches": 3.0, "missed": 0.1}
    assert nest(figures) == {"points": {"auc@5px": 0.5, "num_matches": 3.0}, "missed": 0.1}


def test_figures_are_found_by_their_path() -> None:
    summary = {"points": {"auc@5px": 0.5, "auc@1px": None}}
    assert figure(summary, "points/auc@5px") == 0.5
    for path in ("points/auc@1px", "points/nothing", "lines/auc@5px", "points/auc@5px/deeper"):
        assert math.isnan(figure(summary, path))


def test_labels_are_ordered_by_their_numbers() -> None:
    labels = ("90-105", "0-15", "15-30", "1.5 and more", "other")
    pairs = [Pair(name=label, groups={"rotation": label}) for label in labels]
    results = Results(configuration={}, pairs=pairs, scores=[{}] * 5, devices=[], threads=[])
    expected = ["0-15", "1.5 and more", "15-30", "90-105", "other"]
    assert group_labels(results) == {"rotation": expected}


def test_what_json_cannot_say_is_null(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": [math.nan, 1.0], "b": {"c": math.inf}})
    text = (tmp_path / "a.json").read_text()
    assert json.loads(text) == {"a": [None, 1.0], "b": {"c": None}}


def test_the_summary_has_the_documented_keys(
    benchmark_of_scenes: HomographyBenchmark, matcher: CountingMatcher, tmp_path: Path
) -> None:
    run = run_benchmark(
        benchmark_of_scenes,
        benchmark_of_scenes.pairs(),
        matcher,
        tmp_path,
        model="stub",
        max_num_keypoints=100,
        max_num_lines=250,
    )
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["num_pairs"] == 3  # the extreme one is apart
    aucs = {"auc@1px", "auc@3px", "auc@5px"}
    assert aucs | {"precision@1px", "precision@3px", "num_matches"} <= set(summary["points"])
    assert aucs | {"precision", "recall", "ap", "num_matches"} <= set(summary["lines"])
    assert aucs <= set(summary["points_lines"])
    stages = {"keypoints", "lines", "wireframe", "matching", "estimation"}
    assert set(summary["seconds"]) == stages
    assert (summary["device"], summary["threads"]) == ("cpu", 1)
    by_change = summary["by_change"]
    assert {label: part["num_pairs"] for label, part in by_change.items()} == {
        "extreme viewpoint": 1,
        "illumination": 1,
        "viewpoint": 2,
    }
    assert summary["configuration"]["max_num_keypoints"] == 100
    assert run.model == "stub"
    again = score_predictions(benchmark_of_scenes, benchmark_of_scenes.pairs(), tmp_path)
    assert again.summary | {"seconds": {}} == run.summary | {"seconds": {}}
    assert (tmp_path / PREDICTIONS).exists()


def test_pairs_are_chosen_evenly() -> None:
    pairs = [Pair(name=str(number)) for number in range(10)]
    assert [pair.name for pair in select_pairs(pairs, num_pairs=4)] == ["0", "3", "6", "9"]
    assert [pair.name for pair in select_pairs(pairs, num_pairs=1)] == ["0"]
    assert select_pairs(pairs, num_pairs=None) == pairs
    assert select_pairs(pairs, num_pairs=20) == pairs
    with pytest.raises(ValueError, match="num_pairs"):
        select_pairs(pairs, num_pairs=0)
    with pytest.raises(ValueError, match="num_pairs"):
        select_pairs([], num_pairs=-1)


def test_pairs_of_a_unit_are_taken_together() -> None:
    pairs = [Pair(name=f"{query}{number}", unit=query) for query in "abcd" for number in range(5)]
    chosen = select_pairs(pairs, num_pairs=2)
    assert [pair.name for pair in chosen] == [f"{query}{n}" for query in "ad" for n in range(5)]
    assert select_pairs(pairs, num_pairs=4) == pairs
    mixed = [Pair(name="alone"), *pairs[:5], Pair(name="0", unit="")]
    assert [pair.name for pair in select_pairs(mixed, num_pairs=2)] == ["alone", "0"]
