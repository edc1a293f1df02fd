"""Plots of runs side by side, as SVG. They need matplotlib, the extra ``bench``."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gluestick.benchmarks.report.tables import figure_title, is_rate, total_seconds
from gluestick.benchmarks.run.runner import Run
from gluestick.benchmarks.run.summary import figure, overall_scores
from gluestick.benchmarks.tasks.outcomes import stored_outcomes
from gluestick.benchmarks.tasks.protocol import ErrorCurve
from gluestick.supervision.match_metrics import precision_recall

_SIZE = (6.8, 3.6)  # inches
_POINTS_PER_CURVE = 400


def check_matplotlib() -> None:
    """Check that plots can be drawn.

    Raises:
        ImportError: If matplotlib is not installed; the message says how to install it.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "the report needs matplotlib: pip install 'gluestick-matching[bench]', or leave the "
            "report out with --no-report"
        ) from error


def plot_errors(curve: ErrorCurve, runs: Sequence[Run]) -> str:
    """Draw the share of pairs whose error is below a threshold, over the threshold.

    Returns:
        An SVG element.
    """
    drawing, axes = _axes(curve.title, f"threshold ({curve.unit})", "share of pairs (%)")
    for run in runs:
        errors = np.array([float(pair[curve.name]) for pair in overall_scores(run.results)])
        below = np.sort(errors[errors <= curve.limit])
        share = np.arange(len(below) + 1) / max(len(errors), 1) * 100
        edges = [0, *below, curve.limit]
        axes.step(edges, [*share, share[-1]], where="post", label=run.model)
    axes.set(xlim=(0, curve.limit), ylim=(0, 100))
    return _svg(drawing, axes)


def plot_precision_recall(kind: str, runs: Sequence[Run]) -> str:
    """Draw the precision of matches over their recall while the threshold falls.

    Args:
        kind: ``points`` or ``lines``.
        runs: The runs; the area below a curve is the average precision up to small steps.

    Returns:
        An SVG element.
    """
    drawing, axes = _axes(f"Matches of {kind}", "recall (%)", "precision (%)")
    for run in runs:
        curve = precision_recall(stored_outcomes(kind, overall_scores(run.results)))
        number = len(curve.recall)
        kept = np.unique(np.linspace(0, number - 1, min(number, _POINTS_PER_CURVE)).astype(int))
        axes.plot(curve.recall[kept] * 100, curve.precision[kept] * 100, label=run.model)
    axes.set(xlim=(0, 100), ylim=(0, 101))
    return _svg(drawing, axes)


def plot_runtime(path: str, runs: Sequence[Run]) -> str:
    """Draw a figure of each run over its seconds per pair.

    Returns:
        An SVG element.
    """
    scale = 100 if is_rate(path) else 1
    drawing, axes = _axes("Accuracy and time", "seconds per pair, all stages", figure_title(path))
    seconds = [total_seconds(run.summary) for run in runs]
    values = [figure(run.summary, path) * scale for run in runs]
    for run, x, y in zip(runs, seconds, values, strict=True):
        axes.plot([x], [y], "o", markersize=8, label=run.model)
    axes.set_xlim(0, 1.1 * max(seconds))
    axes.set_ylim(0, 1.1 * np.nanmax([1.0, *values]))
    return _svg(drawing, axes)


def plot_by_label(group: str, path: str, runs: Sequence[Run]) -> str:
    """Draw a figure over the labels of a group.

    Args:
        group: The group, such as ``rotation``.
        path: The figure.
        runs: The runs.

    Returns:
        An SVG element.
    """
    labels = list(dict.fromkeys(label for run in runs for label in run.summary[f"by_{group}"]))
    scale = 100 if is_rate(path) else 1
    drawing, axes = _axes(f"By {group}", group, figure_title(path))
    for run in runs:
        parts = run.summary[f"by_{group}"]
        values = [figure(parts.get(label, {}), path) * scale for label in labels]
        axes.plot(range(len(labels)), values, "o-", markersize=4, label=run.model)
    axes.set_xticks(range(len(labels)), labels, rotation=30, ha="right", fontsize=7)
    if is_rate(path):
        axes.set_ylim(0, 101)
    return _svg(drawing, axes)


def plot_stacked(
    title: str, axis: str, labels: Sequence[str], parts: Mapping[str, Sequence[float]]
) -> str:
    """Draw a bar for each label, made of parts one after the other.

    Args:
        title: The title.
        axis: What the lengths are.
        labels: What stands in front of the bars, from top to bottom.
        parts: By part its length in each bar.

    Returns:
        An SVG element.
    """
    drawing, axes = _axes(title, axis, "")
    drawing.set_size_inches(1.2 * _SIZE[0], 1 + 0.25 * len(labels))
    places, ends = np.arange(len(labels)), np.zeros(len(labels))
    for part, lengths in parts.items():
        axes.barh(places, lengths, left=ends, label=part, alpha=0.8)
        ends = ends + np.array(lengths)
    axes.set_yticks(places, labels, fontsize=7)
    axes.invert_yaxis()
    return _svg(drawing, axes)


def _axes(title: str, x: str, y: str) -> tuple[Any, Any]:
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    strong_and_pale = colormaps["tab20"](np.arange(20))
    drawing = Figure(figsize=_SIZE, layout="constrained")
    axes = drawing.add_subplot()
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(x, fontsize=9)
    axes.set_ylabel(y, fontsize=9)
    axes.grid(alpha=0.3)
    axes.set_prop_cycle(color=[*strong_and_pale[::2], *strong_and_pale[1::2]])
    return drawing, axes


def _svg(drawing: Any, axes: Any) -> str:
    for rank, line in enumerate(reversed(axes.lines)):
        line.set_zorder(2 + rank / len(axes.lines))  # the first, which others may equal, on top
    drawing.legend(loc="outside right upper", fontsize=7)
    stream = io.StringIO()
    drawing.savefig(stream, format="svg")
    text = stream.getvalue()
    return text[text.index("<svg") :]
