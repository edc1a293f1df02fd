"""The page of a benchmark: tables, plots and pictures as HTML, and the tables as Markdown."""

import html
import json
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np

from gluestick.benchmarks.report import plots
from gluestick.benchmarks.report.tables import figures_table, group_table, seconds_table
from gluestick.benchmarks.run.runner import PREDICTIONS, Run
from gluestick.benchmarks.run.store import PairReader
from gluestick.benchmarks.run.suite import Outcome
from gluestick.benchmarks.run.summary import group_labels
from gluestick.benchmarks.tasks.protocol import Benchmark, Pair, Prediction, Scores
from gluestick.storage.atomic import atomic_path
from gluestick.visualization import draw_line_matches, draw_point_matches
from gluestick.visualization.pages.page_parts import jpeg_data_uri

_NUM_WORST = 10
_PICTURE_WIDTH = 1200  # px
_FEWEST_LABELS_TO_PLOT = 3


def write_report(
    folder: Path, benchmark: Benchmark, pairs: Sequence[Pair], runs: Sequence[Run]
) -> list[Path]:
    """Write ``report.html``, which needs no network, and ``report.md``.

    Args:
        folder: Where they are written.
        benchmark: The benchmark.
        pairs: Its pairs.
        runs: The runs to compare; the worst pairs shown are those of the first.

    Returns:
        The files.

    Raises:
        ImportError: If matplotlib is not installed.
        OSError: If a file cannot be written.
    """
    plots.check_matplotlib()
    paths = folder / "report.html", folder / "report.md"
    title = f"Benchmark {benchmark.name}"
    content = "\n".join(
        [
            _introduction(runs),
            "<h2>Figures</h2>",
            _html_table(_main_table(benchmark, runs)),
            "<h2>Seconds per stage</h2>",
            "<p>Medians over all pairs, without the first run of each model.</p>",
            _html_table(seconds_table([run.model for run in runs], [run.summary for run in runs])),
            "<h2>Curves</h2>",
            f'<div class="plots">{"".join(_curves(benchmark, runs))}</div>',
            *_groups(benchmark, runs),
            *_worst_pairs(benchmark, pairs, runs[0]),
            "<h2>Configuration</h2>",
            *(f"<pre>{html.escape(_configuration(run))}</pre>" for run in runs),
        ]
    )
    template = resources.files("gluestick.benchmarks.report").joinpath("report.html")
    parts = {"TITLE": html.escape(title), "CONTENT": content}
    page = re.sub(
        r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template.read_text(encoding="utf-8")
    )
    _write(paths[0], page)
    _write(paths[1], markdown_report(benchmark, runs))
    return list(paths)


def write_job_reports(outcome: Outcome) -> list[Path]:
    """Write the report of each number of keypoints of a job, beside its runs.

    Arguments and errors are those of :func:`write_report`, of all runs of the job.
    """
    return [
        path
        for runs in outcome.runs.values()
        for path in write_report(runs[0].folder.parent, outcome.benchmark, outcome.pairs, runs)
    ]


def markdown_report(benchmark: Benchmark, runs: Sequence[Run]) -> str:
    """Return the tables of runs side by side in Markdown."""
    names, summaries = [run.model for run in runs], [run.summary for run in runs]
    parts = [
        f"# Benchmark {benchmark.name}\n",
        _main_table(benchmark, runs),
        "Median seconds per stage:\n",
        seconds_table(names, summaries),
    ]
    for group in group_labels(runs[0].results):
        parts.append(f"By {group} (number of pairs):\n")
        parts += [group_table(names, summaries, group, path) for path in _split_figures(benchmark)]
    return "\n".join(parts)


def _split_figures(benchmark: Benchmark) -> Sequence[str]:
    """Return the figures that are shown by group."""
    return benchmark.headline[:7]


def _main_table(benchmark: Benchmark, runs: Sequence[Run]) -> str:
    return figures_table(
        [run.model for run in runs], [run.summary for run in runs], benchmark.headline
    )


def _introduction(runs: Sequence[Run]) -> str:
    first = runs[0].summary
    budgets = runs[0].results.configuration
    facts = (
        f"{first['num_pairs']} pairs; at most {budgets['max_num_keypoints']} keypoints and "
        f"{budgets['max_num_lines']} lines per image; device {first['device']}, threads "
        f"{first['threads']}. Rates and areas in percent."
    )
    return f"<p>{html.escape(facts)}</p>"


def _curves(benchmark: Benchmark, runs: Sequence[Run]) -> list[str]:
    return [
        *(plots.plot_errors(curve, runs) for curve in benchmark.error_curves),
        *(plots.plot_precision_recall(kind, runs) for kind in benchmark.match_kinds),
        plots.plot_runtime(benchmark.headline[0], runs),
    ]


def _groups(benchmark: Benchmark, runs: Sequence[Run]) -> list[str]:
    names, summaries = [run.model for run in runs], [run.summary for run in runs]
    parts = []
    for group, labels in group_labels(runs[0].results).items():
        parts.append(f"<h2>By {html.escape(group)}</h2>")
        if len(labels) >= _FEWEST_LABELS_TO_PLOT:
            drawn = [plots.plot_by_label(group, path, runs) for path in _split_figures(benchmark)]
            parts.append(f'<div class="plots">{"".join(drawn)}</div>')
        parts += [
            _html_table(group_table(names, summaries, group, path))
            for path in _split_figures(benchmark)
        ]
    return parts


def _worst_pairs(benchmark: Benchmark, pairs: Sequence[Pair], run: Run) -> list[str]:
    by_name = {pair.name: pair for pair in pairs}
    counted = [index for index, pair in enumerate(run.results.pairs) if not pair.apart]
    badness = {index: float(run.results.scores[index][benchmark.worst_by]) for index in counted}
    order = sorted(counted, key=lambda index: -np.nan_to_num(badness[index], nan=np.inf))
    parts = [
        f"<h2>The worst pairs of {html.escape(run.model)}</h2>",
        f"<p>By {html.escape(benchmark.worst_by.replace('/', ' ').replace('_', ' '))}. "
        "Crosses and dashes mark wrong matches where the benchmark tells.</p>",
    ]
    with PairReader(run.folder / PREDICTIONS) as predictions:
        for index in order[:_NUM_WORST]:
            pair, scores = by_name[run.results.pairs[index].name], run.results.scores[index]
            parts.append(f"<h3>{html.escape(pair.name)}: {badness[index]:.3g}</h3>")
            parts += [
                f'<img alt="{html.escape(pair.name)}" src="{jpeg_data_uri(picture)}">'
                for picture in _pictures(benchmark, pair, predictions.read(pair.name), scores)
            ]
    return parts


def _pictures(
    benchmark: Benchmark, pair: Pair, prediction: Prediction, scores: Scores
) -> list[np.ndarray]:
    images = benchmark.load(pair)
    right = {
        kind: None if f"{kind}/right" not in scores else np.asarray(scores[f"{kind}/right"]) > 0
        for kind in ("points", "lines")
    }
    drawn = []
    if len(prediction["keypoints0"]):
        points = (prediction[name] for name in ("keypoints0", "keypoints1", "matches0"))
        drawn.append(
            draw_point_matches(*images, *points, inliers=right["points"], width=_PICTURE_WIDTH)
        )
    if len(prediction["lines0"]):
        lines = (prediction[name] for name in ("lines0", "lines1", "line_matches0"))
        drawn.append(
            draw_line_matches(*images, *lines, inliers=right["lines"], width=_PICTURE_WIDTH)
        )
    return drawn


def _html_table(markdown: str) -> str:
    header, _, *rows = (
        [html.escape(cell.strip()) for cell in line.strip("|").split("|")]
        for line in markdown.strip().splitlines()
    )
    head = "".join(f"<th>{cell}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody>'
        "</table></div>"
    )


def _configuration(run: Run) -> str:
    return json.dumps(run.results.configuration, indent=2)


def _write(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
