"""The page of results: the tables of all benchmarks, and what was published."""

from collections.abc import Sequence
from pathlib import Path

from gluestick.benchmarks.published import PUBLISHED, PublishedTable
from gluestick.benchmarks.suite import Outcome
from gluestick.benchmarks.summary import group_labels
from gluestick.benchmarks.tables import figures_table, group_table, markdown_table
from gluestick.files import atomic_path

_GROUP_FIGURES = {
    "synthetic": ("lines/ap", "lines/recall", "points/recall@3px", "points/precision@3px")
}
"""The figures that are also shown by group."""


def write_results_page(path: Path, outcomes: Sequence[Outcome], *, command: str) -> None:
    """Write the page in Markdown.

    Args:
        path: The file.
        outcomes: What was measured.
        command: The command that measured it.

    Raises:
        OSError: If the file cannot be written; an earlier file is left as it was.
    """
    text = results_page(outcomes, command=command)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def results_page(outcomes: Sequence[Outcome], *, command: str) -> str:
    """Return the page; arguments are those of :func:`write_results_page`."""
    parts = [
        "# Results\n",
        f"Measured by `{command}`, which also writes this page. Rates and areas under curves are "
        "in percent. All matchers see the same images, keep the same numbers of keypoints and "
        "lines, and share the estimators; seconds are the sum of the medians of all stages, "
        "with the first run of each matcher left out. Models turn the second image where a vote "
        "is confident (`rotation: auto`); peers see the images as they are.\n",
    ]
    for outcome in outcomes:
        parts += _section(outcome)
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
    title = outcome.job.name.replace("_", ": ", 1)
    parts = [
        f"## {title[0].upper()}{title[1:]}\n",
        f"{first.summary['num_pairs']} pairs, at most "
        f"{first.results.configuration['max_num_lines']} lines per image; the number behind a "
        f"name is that of keypoints. Device {first.summary['device']}, threads "
        f"{first.summary['threads']}.\n",
        figures_table(names, summaries, outcome.headline),
    ]
    apart = {
        (group, label)
        for pair in first.results.pairs
        if pair.apart
        for group, label in pair.groups.items()
    }
    for group, label in sorted(apart):
        chosen = [
            summary[f"by_{group}"][label] | {"seconds": summary["seconds"]} for summary in summaries
        ]
        parts += [
            f"Apart from these, {chosen[0]['num_pairs']} pairs with {group} {label}:\n",
            figures_table(names, chosen, outcome.headline),
        ]
    for group in group_labels(first.results):
        for path in _GROUP_FIGURES.get(outcome.job.benchmark, ()):
            parts += [
                f"By {group} (number of pairs):\n",
                group_table(names, summaries, group, path),
            ]
    return parts


def _published(table: PublishedTable) -> str:
    rows = [
        [row.method, *(f"{value:g}" for value in row.figures), row.source] for row in table.rows
    ]
    return markdown_table(["", *table.columns, "source"], rows)
