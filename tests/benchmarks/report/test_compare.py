from pathlib import Path

import numpy as np
import pytest
from made_runs import make_run

from gluestick.benchmarks.report.compare import compare_folders, comparison_json, comparison_table


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
    table = comparison_table(comparison)
    assert "points AUC@5px" in table
    assert " * |" in table
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
