"""Figures as text: Markdown tables of runs side by side."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from gluestick.benchmarks.run.summary import figure

_WORDS = {"auc": "AUC", "ap": "AP"}
_KINDS = {"points_lines": "points+lines", "poselib": "PoseLib", "opencv": "OpenCV"}


def figure_title(path: str) -> str:
    """Return what stands above a column, such as ``points AUC@5px``."""
    *kinds, leaf = path.split("/")
    word, at, rest = leaf.partition("@")
    words = [_KINDS.get(kind, kind.replace("_", " ")) for kind in kinds]
    return " ".join(
        [*words, _WORDS.get(word, word.replace("_", " ").removeprefix("num ")) + at + rest]
    )


def is_rate(path: str) -> bool:
    """Whether a figure is a rate or an area in [0, 1], which is shown in percent."""
    leaf = path.split("/")[-1]
    return not (leaf.startswith("num_") or "error" in leaf or "seconds" in leaf)


def format_figure(path: str, value: float) -> str:
    """Return a figure as text: rates in percent, numbers as integers, the rest with 2 digits."""
    if math.isnan(value):
        return "-"
    if is_rate(path):
        return f"{100 * value:.1f}"
    return f"{value:.0f}" if path.split("/")[-1].startswith("num_") else f"{value:.2f}"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose first column is text and whose others are numbers."""
    rule = ["---", *("---:" for _ in header[1:])]
    lines = [header, rule, *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def figures_table(
    names: Sequence[str],
    summaries: Sequence[Mapping[str, Any]],
    paths: Sequence[str],
    *,
    with_seconds: bool = True,
) -> str:
    """Return a table with one row per run and one column per figure.

    Args:
        names: What stands in front of each row.
        summaries: The summaries of the runs.
        paths: The figures, by paths such as ``points/auc@5px``.
        with_seconds: Whether the last column shows the seconds per pair over all stages.

    Returns:
        The table in Markdown.
    """
    header = ["", *map(figure_title, paths), *(["s per pair"] if with_seconds else [])]
    rows = []
    for name, summary in zip(names, summaries, strict=True):
        cells = [format_figure(path, figure(summary, path)) for path in paths]
        seconds = [f"{total_seconds(summary):.2f}"] if with_seconds else []
        rows.append([name, *cells, *seconds])
    return markdown_table(header, rows)


def total_seconds(summary: Mapping[str, Any]) -> float:
    """Return the seconds per pair: the sum of the medians of all stages."""
    return float(sum(summary["seconds"].values()))


def seconds_table(names: Sequence[str], summaries: Sequence[Mapping[str, Any]]) -> str:
    """Return a table of the median seconds of each stage."""
    stages = list(dict.fromkeys(stage for summary in summaries for stage in summary["seconds"]))
    rows = [
        [
            name,
            *(
                f"{summary['seconds'][stage]:.3f}" if stage in summary["seconds"] else "-"
                for stage in stages
            ),
        ]
        for name, summary in zip(names, summaries, strict=True)
    ]
    return markdown_table(["", *stages], rows)


def group_table(
    names: Sequence[str], summaries: Sequence[Mapping[str, Any]], group: str, path: str
) -> str:
    """Return a table of one figure with a column per label of a group.

    Args:
        names: What stands in front of each row.
        summaries: The summaries of the runs.
        group: The group, such as ``rotation``.
        path: The figure.

    Returns:
        The table in Markdown; the header tells the number of pairs.
    """
    parts = [summary[f"by_{group}"] for summary in summaries]
    counts = {label: figures["num_pairs"] for part in parts for label, figures in part.items()}
    header = [figure_title(path), *(f"{label} ({count})" for label, count in counts.items())]
    rows = [
        [name, *(format_figure(path, figure(part.get(label, {}), path)) for label in counts)]
        for name, part in zip(names, parts, strict=True)
    ]
    return markdown_table(header, rows)
