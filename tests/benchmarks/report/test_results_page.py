from pathlib import Path

import pytest
from made_runs import make_pairs, make_run
from markdown_tables import tables_of

from gluestick.benchmarks.report.compare import compare_with_peer
from gluestick.benchmarks.report.published_figures import PUBLISHED
from gluestick.benchmarks.report.results_page import results_page, write_results_page
from gluestick.benchmarks.report.tables import format_figure, peer_table
from gluestick.benchmarks.run.speed import Speed
from gluestick.benchmarks.run.suite import Job, Outcome, run_job
from gluestick.benchmarks.run.summary import figure
from gluestick.benchmarks.tasks.planar.homography import HomographyBenchmark
from gluestick.catalog import load_matcher
from gluestick.matching.protocols import Matcher

PEER = "aliked+lightglue"
TURN_FIGURES = {
    "points_lines/auc@5px": "points+lines AUC@5px",
    "points/recall@3px": "points recall@3px",
    "points/precision@3px": "points precision@3px",
    "lines/recall": "lines recall",
    "lines/precision": "lines precision",
    "lines/ap": "lines AP",
}


def load(name: str, max_num_keypoints: int, max_num_lines: int) -> Matcher:
    return load_matcher(name, max_num_keypoints=max_num_keypoints, max_num_lines=max_num_lines)


@pytest.fixture(scope="module")
def turned(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Two peers on turned views of the photographs."""
    job = Job(
        name="any_turn",
        benchmark="synthetic",
        data_dir=assets,
        settings={"max_turn": 180.0, "width": 160, "height": 120},
        num_keypoints=100,
    )
    files = tmp_path_factory.mktemp("files")
    return run_job(job, files, {100: ("sift+ratio", "lbd")}, load)


@pytest.fixture
def planar(tmp_path: Path) -> Outcome:
    """A model and a peer with invented scores; a third of the pairs is apart."""
    errors = {"ours": 1.0, PEER: 2.0}
    return Outcome(
        job=Job(name="homography", benchmark="homography", data_dir=Path("/nowhere")),
        benchmark=HomographyBenchmark(Path("/nowhere")),
        pairs=make_pairs(12),
        runs={
            number: [
                make_run(tmp_path / f"{model}{number}", model=model, error=error)
                for model, error in errors.items()
            ]
            for number in (1024, 512)
        },
    )


def test_turned_pairs_are_shown_by_rotation(turned: Outcome) -> None:
    page = results_page([turned], command="gluestick benchmark all")
    assert "## Any turn" in page
    overall, *by_rotation = tables_of(page)[: 1 + len(TURN_FIGURES)]
    for row, run in zip(overall[2:], turned.runs[100], strict=True):
        expected = [
            format_figure(path, figure(run.summary, path)) for path in turned.benchmark.headline
        ]
        assert row == [f"{run.model}, 100", *expected]
    for (path, title), table in zip(TURN_FIGURES.items(), by_rotation, strict=True):
        parts = [run.summary["by_rotation"] for run in turned.runs[100]]
        labels = {label: part["num_pairs"] for label, part in parts[0].items()}
        assert sum(labels.values()) == 8
        assert table[0] == [title, *(f"{label} ({number})" for label, number in labels.items())]
        for row, run, part in zip(table[2:], turned.runs[100], parts, strict=True):
            values = [format_figure(path, figure(part[label], path)) for label in labels]
            assert row == [run.model, *values]


def test_plots_lie_beside_the_page(turned: Outcome, tmp_path: Path) -> None:
    page = tmp_path / "docs" / "results.md"
    written = write_results_page(page, [turned], command="gluestick benchmark all")
    text = page.read_text(encoding="utf-8")
    assert text == results_page([turned], command="gluestick benchmark all")
    assert written[0] == page
    plots = {path.relative_to(page.parent).as_posix(): path for path in written[1:]}
    assert len(plots) == len(TURN_FIGURES)
    labels = turned.runs[100][0].summary["by_rotation"]
    for link, path in plots.items():
        assert f"({link})" in text
        drawing = path.read_text(encoding="utf-8")
        # Matplotlib notes the text of what it draws as outlines.
        for word in ("By rotation", "sift+ratio", "lbd", *labels):
            assert f"<!-- {word} -->" in drawing


def test_every_run_has_its_figures(planar: Outcome) -> None:
    page = results_page([planar], command="gluestick benchmark all data")
    assert page.startswith("# Results\n")
    assert "`gluestick benchmark all data`" in page
    assert "8 pairs, at most 250 lines per image" in page
    assert "Device cpu, threads 1." in page
    assert "Apart from these, 4 pairs with change extreme viewpoint" in page
    overall, apart = tables_of(page)[:2]
    paths = planar.benchmark.headline
    for row, other, (name, run) in zip(
        overall[2:],
        apart[2:],
        [(f"{run.model}, {number}", run) for number, own in planar.runs.items() for run in own],
        strict=True,
    ):
        extreme = run.summary["by_change"]["extreme viewpoint"]
        assert row == [name, *(format_figure(path, figure(run.summary, path)) for path in paths)]
        assert other == [name, *(format_figure(path, figure(extreme, path)) for path in paths)]
        assert row != other


def test_differences_from_peers_and_seconds_are_told(planar: Outcome) -> None:
    seconds = {"ours": {"matching": 0.5}, PEER: {"matching": 2.0}}
    speed = Speed(num_pairs=3, seconds=seconds, device="cpu", threads=2)
    page = results_page([planar], speed=speed, command="")
    rest = page.split(f"## Points against {PEER}\n")[1]
    assert peer_table(PEER, compare_with_peer([planar])) in rest
    assert "## Lines against" not in page
    assert "Median seconds per stage over 3 pairs" in rest
    assert "Device cpu, threads 2." in rest
    assert ["ours", "0.500", "0.50", "4.00 x"] in [
        row for table in tables_of(rest) for row in table
    ]
    assert "## Speed" not in results_page([planar], command="")


def test_published_figures_are_quoted(planar: Outcome) -> None:
    page = results_page([planar], command="")
    quoted = tables_of(page.split("## Published figures\n")[1])
    assert len(quoted) == len(PUBLISHED)
    for table, published in zip(quoted, PUBLISHED.values(), strict=True):
        assert f"### {published.title}\n" in page
        assert table[0] == ["", *published.columns, "source"]
        for row, source in zip(table[2:], published.rows, strict=True):
            assert (row[0], row[-1]) == (source.method, source.source)
            assert tuple(map(float, row[1:-1])) == source.figures
