"""Figures as text: Markdown tables of runs side by side, of comparisons and of seconds."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from gluestick.benchmarks.report.compare import Comparison, Difference
from gluestick.benchmarks.run.speed import Speed
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


def speed_table(speed: Speed, *, reference: str) -> str:
    """Return the seconds in Markdown, and how they compare.

    Args:
        speed: What was measured.
        reference: The matcher whose time the last column divides by the others'; without it in
            ``speed``, the column is left out.
    """
    stages = list(dict.fromkeys(stage for own in speed.seconds.values() for stage in own))
    compared = reference in speed.seconds
    header = ["", *stages, "total", *([f"speed against {reference}"] if compared else [])]
    rows = []
    for name, own in speed.seconds.items():
        cells = [f"{own[stage]:.3f}" if stage in own else "-" for stage in stages]
        ratio = [f"{speed.total(reference) / speed.total(name):.2f} x"] if compared else []
        rows.append([name, *cells, f"{speed.total(name):.2f}", *ratio])
    return markdown_table(header, rows)


def comparison_table(comparison: Comparison) -> str:
    """Return a comparison as a Markdown table; * marks differences whose interval leaves 0 out."""
    header = [
        f"{len(comparison.pairs)} pairs",
        comparison.first,
        comparison.other,
        "difference",
        "95% interval",
        "pairs higher / lower",
    ]
    rows = []
    for one in comparison.differences:
        *cells, change, interval = _difference_cells(one)
        marked = f"{change}{' *' if one.is_clear else ''}"
        higher, lower = (one.per_pair > 0).sum(), (one.per_pair < 0).sum()
        rows.append([*cells, marked, interval, f"{higher} / {lower}"])
    return markdown_table(header, rows)


def peer_table(peer: str, differences: Sequence[tuple[str, Difference]]) -> str:
    """Return how models differ from a peer as a Markdown table.

    Args:
        peer: The peer.
        differences: What :func:`gluestick.benchmarks.report.compare.compare_with_peer` returned.

    Returns:
        A row for each figure; empty where there is none.
    """
    header = ["data, keypoints", "figure", peer, "model", "difference", "95% interval", "ratio"]
    rows = [
        [label, *_difference_cells(one), f"{one.other / one.first:.2f}" if one.first else "-"]
        for label, one in differences
    ]
    return markdown_table(header, rows) if rows else ""


def _difference_cells(one: Difference) -> list[str]:
    """Return the title, both figures, their difference and its interval."""
    scale = 100 if is_rate(one.path) else 1
    low, high = scale * one.low, scale * one.high
    return [
        figure_title(one.path),
        format_figure(one.path, one.first),
        format_figure(one.path, one.other),
        f"{scale * (one.other - one.first):+.1f}",
        "-" if math.isnan(low) else f"{low:+.1f} to {high:+.1f}",
    ]
