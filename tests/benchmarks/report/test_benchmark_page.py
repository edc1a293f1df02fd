import re
import sys
from pathlib import Path

import pytest
from counting_matcher import CountingMatcher
from made_runs import make_run

from gluestick.benchmarks.report import plots
from gluestick.benchmarks.report.benchmark_page import write_job_reports, write_report
from gluestick.benchmarks.run.runner import run_benchmark
from gluestick.benchmarks.run.suite import Job, Outcome
from gluestick.benchmarks.tasks.planar.homography import HomographyBenchmark
from gluestick.benchmarks.tasks.protocol import ErrorCurve


def test_the_report_needs_nothing_else(
    benchmark_of_scenes: HomographyBenchmark, matcher: CountingMatcher, tmp_path: Path
) -> None:
    pairs = benchmark_of_scenes.pairs()
    budgets = {"max_num_keypoints": 100, "max_num_lines": 250}
    runs = [
        run_benchmark(benchmark_of_scenes, pairs, matcher, tmp_path / name, model=name, **budgets)
        for name in ("first", "<second>")
    ]
    paths = write_report(tmp_path, benchmark_of_scenes, pairs, runs)
    assert [path.name for path in paths] == ["report.html", "report.md"]
    page = paths[0].read_text(encoding="utf-8")
    for link in re.findall(r"(?:src|href)=\"([^\"]*)\"", page):
        assert link.startswith(("data:", "#")), link
    assert "@import" not in page
    assert "<script" not in page
    assert "{{" not in page
    assert "&lt;second&gt;" in page
    assert "<second>" not in page
    assert page.count("<svg") == 3 + 1 + 1 + 7  # errors, precision and recall, time, by change
    counted = [pair for pair in pairs if not pair.apart]
    assert page.count("<img") == 2 * len(counted)
    for pair in counted:
        assert f"<h3>{pair.name}" in page
    text = paths[1].read_text(encoding="utf-8")
    for word in ("points+lines AUC@1px", "| first |", "extreme viewpoint (1)"):
        assert word in text


def test_a_job_has_a_report_for_each_number_of_keypoints(
    benchmark_of_scenes: HomographyBenchmark, matcher: CountingMatcher, tmp_path: Path
) -> None:
    pairs = benchmark_of_scenes.pairs()[:1]
    runs = {
        number: [
            run_benchmark(
                benchmark_of_scenes,
                pairs,
                matcher,
                tmp_path / str(number) / "sift",
                model="sift",
                max_num_keypoints=number,
                max_num_lines=None,
            )
        ]
        for number in (50, 20)
    }
    job = Job(name="homography", benchmark="homography", data_dir=benchmark_of_scenes.data_dir)
    outcome = Outcome(job=job, benchmark=benchmark_of_scenes, pairs=pairs, runs=runs)
    assert write_job_reports(outcome) == [
        tmp_path / number / name for number in ("50", "20") for name in ("report.html", "report.md")
    ]
    for number in ("50", "20"):
        page = (tmp_path / number / "report.html").read_text(encoding="utf-8")
        assert f"at most {number} keypoints" in page


@pytest.fixture
def runs(tmp_path: Path) -> list:
    return [
        make_run(tmp_path / model, model=model, error=error)
        for model, error in (("a", 1.0), ("b", 30.0))
    ]


@pytest.mark.parametrize("limit", [0.01, 10.0])
def test_errors_beyond_the_axis_are_drawn_too(runs: list, limit: float) -> None:
    curve = ErrorCurve(name="points/corner_error", title="Error", unit="px", limit=limit)
    assert plots.plot_errors(curve, runs).startswith("<svg")


def test_precision_recall_runtime_and_groups_are_drawn(runs: list) -> None:
    for drawing in (
        plots.plot_precision_recall("lines", runs),
        plots.plot_runtime("points/auc@5px", runs),
        plots.plot_by_label("change", "lines/ap", runs),
    ):
        assert drawing.startswith("<svg")


def test_missing_matplotlib_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"gluestick-matching\[bench\]"):
        plots.check_matplotlib()
