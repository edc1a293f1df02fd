from pathlib import Path

from benchmarks.report.test_tables import cells
from made_runs import make_run

from gluestick.benchmarks.report.standings import standings
from gluestick.benchmarks.run.suite import Job, Outcome

PEER = "aliked+lightglue"


def outcome_of(tmp_path: Path, errors: dict[str, float]) -> Outcome:
    runs = {
        number: [
            make_run(tmp_path / f"{model}{number}", model=model, error=error)
            for model, error in errors.items()
        ]
        for number in (1024, 512)
    }
    job = Job(name="homography", benchmark="homography", data_dir=Path("/nowhere"))
    return Outcome(job=job, headline=("points/auc@5px",), runs=runs)


def test_a_row_for_each_figure_and_number_of_keypoints(tmp_path: Path) -> None:
    outcome = outcome_of(tmp_path, {"ours": 1.0, "sift+ratio": 3.0, PEER: 2.0})
    header, _, *rows = cells(standings([outcome]))
    assert header[2:5] == [PEER, "model", "difference"]
    assert [row[0] for row in rows] == ["homography, 1024"] * 3 + ["homography, 512"] * 3
    assert [row[1] for row in rows[:3]] == [f"points AUC@{pixels}px" for pixels in (1, 3, 5)]
    for row in rows[1:3]:
        first, other, difference, ratio = (float(row[index]) for index in (2, 3, 4, 6))
        assert abs(other - first - difference) < 0.11
        assert difference > 0
        assert abs(ratio - other / first) < 0.02
        low, high = (float(end) for end in row[5].split(" to "))
        assert low <= difference <= high


def test_nothing_where_the_peer_is_missing_or_the_model(tmp_path: Path) -> None:
    assert standings([outcome_of(tmp_path, {"ours": 1.0, "sift+ratio": 3.0})]) == ""
    assert standings([outcome_of(tmp_path / "alone", {PEER: 1.0})]) == ""
