import math
from pathlib import Path

from made_runs import make_run

from gluestick.benchmarks.report.tables import (
    figure_title,
    figures_table,
    format_figure,
    group_table,
    seconds_table,
)


def test_titles_and_numbers() -> None:
    assert figure_title("points_lines/auc@5px") == "points+lines AUC@5px"
    assert figure_title("lines/num_matches") == "lines matches"
    assert figure_title("poselib/auc@5") == "PoseLib AUC@5"
    assert format_figure("points/auc@5px", 0.1234) == "12.3"
    assert format_figure("points/num_matches", 12.6) == "13"
    assert format_figure("points/median_corner_error", 1.234) == "1.23"
    assert format_figure("lines/ap", math.nan) == "-"


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]


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
