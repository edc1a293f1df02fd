import math
from pathlib import Path

import numpy as np
from made_runs import make_run
from markdown_tables import cells

from gluestick.benchmarks.report.compare import Comparison, Difference
from gluestick.benchmarks.report.tables import (
    comparison_table,
    figure_title,
    figures_table,
    format_figure,
    group_table,
    peer_table,
    seconds_table,
    speed_table,
)
from gluestick.benchmarks.run.speed import Speed


def test_titles_and_numbers() -> None:
    assert figure_title("points_lines/auc@5px") == "points+lines AUC@5px"
    assert figure_title("lines/num_matches") == "lines matches"
    assert figure_title("poselib/auc@5") == "PoseLib AUC@5"
    assert format_figure("points/auc@5px", 0.1234) == "12.3"
    assert format_figure("points/num_matches", 12.6) == "13"
    assert format_figure("points/median_corner_error", 1.234) == "1.23"
    assert format_figure("lines/ap", math.nan) == "-"


def test_tables_have_a_row_per_run(tmp_path: Path) -> None:
    runs = [
        make_run(tmp_path / model, model=model, error=error)
        for model, error in (("a", 1.0), ("b", 4.0))
    ]
    names, summaries = ["a", "b"], [run.summary for run in runs]
    header, rule, first, second = cells(
        figures_table(names, summaries, ["points/auc@5px", "points/num_matches"])
    )
    assert header == ["", "points AUC@5px", "points matches", "s per pair"]
    assert rule == ["---", "---:", "---:", "---:"]
    assert first[0] == "a"
    assert first[2:] == ["100", "0.11"]
    assert float(first[1]) > float(second[1])
    assert cells(seconds_table(names, summaries))[2] == ["a", "0.100", "0.010"]
    header, _, first, _ = cells(group_table(names, summaries, "change", "lines/ap"))
    assert header == ["lines AP", "extreme viewpoint (4)", "illumination (4)", "viewpoint (4)"]
    assert all(0 < float(value) < 100 for value in first[1:])


def difference(path: str, *figures: float, per_pair: tuple[float, ...] = ()) -> Difference:
    first, other, low, high = figures
    return Difference(
        path=path, first=first, other=other, low=low, high=high, per_pair=np.array(per_pair)
    )


CLEAR = difference("points/auc@5px", 0.5, 0.625, 0.01, 0.2, per_pair=(0.1, -0.2, 0.3, 0.0))
OPEN = difference("points/num_matches", 100.0, 90.0, -20.0, 1.0, per_pair=(-1.0, math.nan))
UNKNOWN = difference("lines/ap", 0.0, 0.25, math.nan, math.nan)


def test_a_comparison_has_a_row_for_each_figure() -> None:
    comparison = Comparison(
        first="a", other="b", pairs=["1", "2"], differences=[CLEAR, OPEN, UNKNOWN]
    )
    header, _, *rows = cells(comparison_table(comparison))
    assert header[:3] == ["2 pairs", "a", "b"]
    assert rows == [
        ["points AUC@5px", "50.0", "62.5", "+12.5 *", "+1.0 to +20.0", "2 / 1"],
        ["points matches", "100", "90", "-10.0", "-20.0 to +1.0", "0 / 1"],
        ["lines AP", "0.0", "25.0", "+25.0", "-", "0 / 0"],
    ]


def test_differences_from_a_peer_have_a_ratio() -> None:
    found = [("homography, 512", CLEAR), ("homography, 512", UNKNOWN), ("pose, 1024", OPEN)]
    header, _, *rows = cells(peer_table("theirs", found))
    assert header[2:5] == ["theirs", "model", "difference"]
    assert rows == [
        ["homography, 512", "points AUC@5px", "50.0", "62.5", "+12.5", "+1.0 to +20.0", "1.25"],
        ["homography, 512", "lines AP", "0.0", "25.0", "+25.0", "-", "-"],
        ["pose, 1024", "points matches", "100", "90", "-10.0", "-20.0 to +1.0", "0.90"],
    ]
    assert peer_table("theirs", []) == ""


def test_the_table_of_seconds_says_how_times_compare() -> None:
    seconds = {"ours": {"keypoints": 0.5, "lines": 0.5}, "theirs": {"keypoints": 2.0}}
    speed = Speed(num_pairs=3, seconds=seconds, device="cpu", threads=1)
    header, _, first, second = cells(speed_table(speed, reference="theirs"))
    assert header == ["", "keypoints", "lines", "total", "speed against theirs"]
    assert first == ["ours", "0.500", "0.500", "1.00", "2.00 x"]
    assert second == ["theirs", "2.000", "-", "2.00", "1.00 x"]
    assert len(cells(speed_table(speed, reference="others"))[0]) == 4
