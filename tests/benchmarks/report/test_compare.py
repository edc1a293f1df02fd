import math
from pathlib import Path

import numpy as np
import pytest
from made_runs import make_pairs, make_run
from stored_pairs import read_pair

from gluestick.benchmarks.report.compare import (
    LINE_FIGURES,
    compare_folders,
    compare_with_peer,
    comparison_json,
)
from gluestick.benchmarks.run.runner import RESULTS
from gluestick.benchmarks.run.score import read_results
from gluestick.benchmarks.run.store import PairWriter
from gluestick.benchmarks.run.suite import Job, Outcome
from gluestick.benchmarks.tasks.planar.homography import HomographyBenchmark

PEER = "aliked+lightglue"


def folders(root: Path, **errors: float) -> list[Path]:
    for model, error in errors.items():
        make_run(root / model, model=model, error=error)
    return [root / model for model in errors]


def test_a_run_does_not_differ_from_itself(tmp_path: Path) -> None:
    (folder,) = folders(tmp_path, a=2.0)
    (comparison,) = compare_folders([folder, folder], num_samples=20)
    assert len(comparison.pairs) == 8  # four of twelve are apart
    for one in comparison.differences:
        assert one.first == one.other
        assert (one.low, one.high) == (0, 0)
        assert not one.is_clear
        np.testing.assert_array_equal(one.per_pair, 0)


def test_a_better_run_is_clearly_better(tmp_path: Path) -> None:
    paths = folders(tmp_path, worse=4.0, better=1.0)
    (comparison,) = compare_folders(paths, num_samples=200)
    assert (comparison.first, comparison.other) == ("worse", "better")
    (one,) = [one for one in comparison.differences if one.path == "points/auc@5px"]
    assert one.other > one.first
    assert 0 < one.low < one.other - one.first < one.high < 1
    assert one.is_clear
    assert (one.per_pair > 0).sum() > 6
    content = comparison_json(comparison)
    assert content["num_pairs"] == 8
    assert set(content["figures"]["points/auc@5px"]["per_pair"]) == set(comparison.pairs)


def test_the_seed_decides_the_samples(tmp_path: Path) -> None:
    paths = folders(tmp_path, a=4.0, b=1.0)

    def interval(seed: int) -> tuple[float, float]:
        (comparison,) = compare_folders(paths, num_samples=30, seed=seed)
        return comparison.differences[0].low, comparison.differences[0].high

    assert interval(0) == interval(0)
    assert interval(0) != interval(1)


def test_each_run_is_compared_with_the_first_on_common_pairs(tmp_path: Path) -> None:
    paths = folders(tmp_path, a=2.0, b=3.0)
    make_run(tmp_path / "few", model="few", error=1.0, num_pairs=4)
    comparisons = compare_folders([*paths, tmp_path / "few"], num_samples=5)
    assert [(one.first, one.other) for one in comparisons] == [("a", "b"), ("a", "few")]
    assert [len(one.pairs) for one in comparisons] == [8, 3]


def test_runs_of_one_model_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for name in ("old", "new"):
        make_run(tmp_path / name, model="a", error=1.0)
    (comparison,) = compare_folders([tmp_path / "old", tmp_path / "new"], num_samples=5)
    assert comparison.first.endswith("old")


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    (folder,) = folders(tmp_path, a=1.0)
    with pytest.raises(ValueError, match="at least two"):
        compare_folders([folder])
    with pytest.raises(ValueError, match="num_samples"):
        compare_folders([folder, folder], num_samples=0)
    with pytest.raises(ValueError, match="no file"):
        compare_folders([folder, tmp_path / "nowhere"])
    make_run(tmp_path / "strict", model="b", error=1.0, max_error=1.0)
    with pytest.raises(ValueError, match="differ in settings"):
        compare_folders([folder, tmp_path / "strict"])


def test_intervals_are_percentiles_over_drawn_pairs(tmp_path: Path) -> None:
    paths = folders(tmp_path, a=4.0, b=1.0)
    (comparison,) = compare_folders(paths, num_samples=50, seed=7)
    benchmark = HomographyBenchmark(Path("/nowhere"))
    runs = [
        [own for pair, own in zip(run.pairs, run.scores, strict=True) if not pair.apart]
        for run in (read_results(path / RESULTS) for path in paths)
    ]
    rng = np.random.default_rng(7)
    drawn: list[list[float]] = []
    for _ in range(50):
        chosen = rng.integers(8, size=8)
        first, other = (benchmark.summarize([run[index] for index in chosen]) for run in runs)
        drawn.append([other[path] - first[path] for path in benchmark.headline])
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    for index, one in enumerate(comparison.differences):
        assert (one.low, one.high) == pytest.approx((low[index], high[index]), rel=1e-12)


def test_draws_that_say_nothing_are_left_out(tmp_path: Path) -> None:
    for model, precision in (("a", 0.25), ("b", 0.75)):
        run = make_run(tmp_path / model, model=model, error=2.0)
        names = [pair.name for pair in run.results.pairs if not pair.apart]
        with PairWriter(tmp_path / model / RESULTS, run.results.configuration) as writer:
            for index, name in enumerate(names):
                entry = read_pair(tmp_path / model / RESULTS, name)
                entry["points/precision@1px"] = np.array(math.nan if index == 0 else precision)
                writer.add(name, entry)
    (comparison,) = compare_folders([tmp_path / "a", tmp_path / "b"], num_samples=50)
    (one,) = [one for one in comparison.differences if one.path == "points/precision@1px"]
    assert math.isnan(one.other)
    assert (one.low, one.high) == (0.5, 0.5)
    assert math.isnan(one.per_pair[0])


def test_one_pair_has_no_interval(tmp_path: Path) -> None:
    for model, error in (("a", 1.0), ("b", 3.0)):
        make_run(tmp_path / model, model=model, error=error, num_pairs=1)
    (comparison,) = compare_folders([tmp_path / "a", tmp_path / "b"], num_samples=5)
    for one in comparison.differences:
        assert math.isnan(one.low)
        assert math.isnan(one.high)
        assert not one.is_clear


def outcome_of(root: Path, errors: dict[str, float]) -> Outcome:
    runs = {
        number: [
            make_run(root / f"{model}{number}", model=model, error=error)
            for model, error in errors.items()
        ]
        for number in (1024, 512)
    }
    return Outcome(
        job=Job(name="homography", benchmark="homography", data_dir=Path("/nowhere")),
        benchmark=HomographyBenchmark(Path("/nowhere")),
        pairs=make_pairs(12),
        runs=runs,
    )


def test_the_first_model_is_compared_with_its_peer(tmp_path: Path) -> None:
    outcome = outcome_of(tmp_path, {"ours": 1.0, "sift+ratio": 3.0, PEER: 2.0})
    found = compare_with_peer([outcome])
    assert [label for label, _ in found] == ["homography, 1024"] * 3 + ["homography, 512"] * 3
    for (_, one), pixels in zip(found, (1, 3, 5) * 2, strict=True):
        assert one.path == f"points/auc@{pixels}px"
        for value, run in ((one.other, outcome.runs[512][0]), (one.first, outcome.runs[512][2])):
            assert value == pytest.approx(run.summary["points"][f"auc@{pixels}px"])
        assert one.low <= one.other - one.first <= one.high
    (folders_compared,) = compare_folders(
        [tmp_path / f"{PEER}512", tmp_path / "ours512"], num_samples=200
    )
    by_path = {one.path: one for one in folders_compared.differences}
    for _, one in found[3:]:
        assert (one.low, one.high) == (by_path[one.path].low, by_path[one.path].high)
    lines = compare_with_peer([outcome], peer="sift+ratio", figures=LINE_FIGURES)
    assert [one.path for _, one in lines] == ["lines/ap", "lines/ap"]


def test_nothing_where_the_peer_is_missing_or_the_model(tmp_path: Path) -> None:
    assert compare_with_peer([outcome_of(tmp_path, {"ours": 1.0, "sift+ratio": 3.0})]) == []
    assert compare_with_peer([outcome_of(tmp_path / "alone", {PEER: 1.0})]) == []
