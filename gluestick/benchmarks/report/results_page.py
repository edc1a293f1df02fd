"""The page of results: the tables of all benchmarks, and what was published."""

from collections.abc import Sequence
from pathlib import Path

from gluestick.benchmarks.report.compare import (
    LINE_FIGURES,
    LINE_PEER,
    PEER_SAMPLES,
    compare_with_peer,
)
from gluestick.benchmarks.report.plots import plot_by_label
from gluestick.benchmarks.report.published_figures import PUBLISHED, PublishedTable
from gluestick.benchmarks.report.tables import (
    figures_table,
    group_table,
    markdown_table,
    peer_table,
    speed_table,
)
from gluestick.benchmarks.run.speed import Speed
from gluestick.benchmarks.run.suite import CHANGES_OF_VIEW, CLOSEST_PEER, Outcome
from gluestick.benchmarks.run.summary import group_labels
from gluestick.storage.atomic import atomic_path

_RATES = ("lines/ap", "lines/recall", "points/recall@3px", "points/precision@3px")
_VIEW_RATES = (
    "points_lines/auc@5px",
    "points/recall@3px",
    "points/precision@3px",
    "lines/recall",
    "lines/precision",
    "lines/ap",
)
_IMAGES = "images"


def write_results_page(
    path: Path, outcomes: Sequence[Outcome], *, speed: Speed | None = None, command: str
) -> list[Path]:
    """Write the page in Markdown, and its plots to the folder ``images`` beside it.

    Args:
        path: The file.
        outcomes: What was measured.
        speed: How long it takes, if that was measured.
        command: The command that measured it.

    Returns:
        The files.

    Raises:
        OSError: If a file cannot be written; an earlier file is left as it was.
    """
    plots = {
        path.parent / _IMAGES / _plot_name(outcome, figure): plot_by_label(
            CHANGES_OF_VIEW[outcome.job.name][0], figure, next(iter(outcome.runs.values()))
        )
        for outcome in outcomes
        if outcome.job.name in CHANGES_OF_VIEW
        for figure in _VIEW_RATES
    }
    page = results_page(outcomes, speed=speed, command=command)
    for target, text in {**plots, path: page}.items():
        with atomic_path(target) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return [path, *plots]


def results_page(outcomes: Sequence[Outcome], *, speed: Speed | None = None, command: str) -> str:
    """Return the page; arguments are those of :func:`write_results_page`."""
    parts = [
        "# Results\n",
        f"Measured by `{command}`, which also writes this page. Rates and areas under curves are "
        "in percent. All matchers see the same images, keep the same numbers of keypoints and "
        "lines, and share the estimators. Models see both images in views that show "
        "the same alike (`view: auto`); peers see the images as they are.\n",
    ]
    for outcome in outcomes:
        parts += _section(outcome)
    parts += _against_peers(outcomes)
    if speed is not None:
        parts += _speed(speed)
    parts += ["## Published figures\n", "Quoted, not measured here; in percent.\n"]
    for table in PUBLISHED.values():
        parts += [f"### {table.title}\n", _published(table)]
    return "\n".join(parts)


def _section(outcome: Outcome) -> list[str]:
    runs = [
        (f"{run.model}, {number}", run) for number, runs in outcome.runs.items() for run in runs
    ]
    names, summaries = [name for name, _ in runs], [run.summary for _, run in runs]
    first = runs[0][1]
    title = outcome.job.name.replace("_", " " if outcome.job.name in CHANGES_OF_VIEW else ": ", 1)
    parts = [
        f"## {title[0].upper()}{title[1:]}\n",
        f"{first.summary['num_pairs']} pairs, at most "
        f"{first.results.configuration['max_num_lines']} lines per image; the number behind a "
        f"name is that of keypoints. Device {first.summary['device']}, threads "
        f"{first.summary['threads']}.\n",
        figures_table(names, summaries, outcome.benchmark.headline, with_seconds=False),
    ]
    apart = {
        (group, label)
        for pair in first.results.pairs
        if pair.apart
        for group, label in pair.groups.items()
    }
    for group, label in sorted(apart):
        chosen = [summary[f"by_{group}"][label] for summary in summaries]
        parts += [
            f"Apart from these, {chosen[0]['num_pairs']} pairs with {group} {label}:\n",
            figures_table(names, chosen, outcome.benchmark.headline, with_seconds=False),
        ]
    return parts + _groups(outcome)


def _groups(outcome: Outcome) -> list[str]:
    """Return the tables by group, for the main number of keypoints."""
    if outcome.job.benchmark != "synthetic":
        return []
    runs = next(iter(outcome.runs.values()))
    names, summaries = [run.model for run in runs], [run.summary for run in runs]
    change = CHANGES_OF_VIEW.get(outcome.job.name)
    parts = []
    for group in (change[0],) if change else group_labels(runs[0].results):
        for figure in _VIEW_RATES if change else _RATES:
            parts += [
                f"By {group} (number of pairs):\n",
                group_table(names, summaries, group, figure),
            ]
            if change:
                parts.append(f"![{figure} by {group}]({_IMAGES}/{_plot_name(outcome, figure)})\n")
    return parts


def _plot_name(outcome: Outcome, figure: str) -> str:
    return f"{outcome.job.name}_{figure.split('@')[0].replace('/', '_')}.svg"


def _against_peers(outcomes: Sequence[Outcome]) -> list[str]:
    points = compare_with_peer(outcomes)
    lines = compare_with_peer(outcomes, peer=LINE_PEER, figures=LINE_FIGURES)
    parts = []
    for kind, peer, differences in (("Points", CLOSEST_PEER, points), ("Lines", LINE_PEER, lines)):
        if differences:
            parts += [
                f"## {kind} against {peer}\n",
                "The first model of the tables above on the same pairs; intervals hold 95% of "
                f"{PEER_SAMPLES} bootstrap samples over pairs.\n",
                peer_table(peer, differences),
            ]
    return parts


def _speed(speed: Speed) -> list[str]:
    return [
        "## Speed\n",
        f"Median seconds per stage over {speed.num_pairs} pairs, each matched by all in turns; "
        f"detection is that of both images. Device {speed.device}, threads {speed.threads}.\n",
        speed_table(speed, reference=CLOSEST_PEER),
    ]


def _published(table: PublishedTable) -> str:
    rows = [
        [row.method, *(f"{value:g}" for value in row.figures), row.source] for row in table.rows
    ]
    return markdown_table(["", *table.columns, "source"], rows)
