"""How a model stands against the peers that do the same part of the work."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from gluestick.benchmarks.report.compare import Difference, compare_folders
from gluestick.benchmarks.report.tables import figure_title, format_figure, is_rate, markdown_table
from gluestick.benchmarks.run.runner import Run
from gluestick.benchmarks.run.suite import CLOSEST_PEER, Outcome

LINE_PEER = "endpoint-descriptors+mutual-nn"
NUM_SAMPLES = 200
"""Bootstrap samples for each interval."""

POINT_FIGURES: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "homography": ("points/auc@1px", "points/auc@3px", "points/auc@5px"),
        "pose": ("poselib/auc@5", "poselib/auc@10", "poselib/auc@20"),
        "lines3d": ("points/ap@5px",),
        "synthetic": ("points/ap@3px", "points/precision@3px", "points/recall@3px"),
    }
)
"""By benchmark, what tells how good the points are."""

LINE_FIGURES: Mapping[str, Sequence[str]] = MappingProxyType(
    dict.fromkeys(("homography", "lines3d", "synthetic"), ("lines/ap",))
)
"""By benchmark, what tells how good the lines are."""


def standings(
    outcomes: Sequence[Outcome],
    *,
    peer: str = CLOSEST_PEER,
    figures: Mapping[str, Sequence[str]] = POINT_FIGURES,
) -> str:
    """Return in Markdown how the first model differs from a peer, with bootstrap intervals.

    Args:
        outcomes: What was measured.
        peer: The peer.
        figures: The figures to compare, by benchmark.

    Returns:
        A table with a row for each figure, empty where the peer was not measured.
    """
    rows = []
    for outcome in outcomes:
        for num_keypoints, runs in outcome.runs.items():
            others = [run for run in runs if run.model == peer]
            paths = figures.get(outcome.job.benchmark, ())
            if not others or others[0] is runs[0] or not paths:
                continue
            found = {one.path: one for one in _differences(others[0], runs[0])}
            rows += [
                [f"{outcome.job.name}, {num_keypoints}", *_cells(found[path])]
                for path in paths
                if path in found
            ]
    header = ["data, keypoints", "figure", peer, "model", "difference", "95% interval", "ratio"]
    return markdown_table(header, rows) if rows else ""


def _differences(peer: Run, model: Run) -> Sequence[Difference]:
    (comparison,) = compare_folders([peer.folder, model.folder], num_samples=NUM_SAMPLES)
    return comparison.differences


def _cells(one: Difference) -> list[str]:
    scale = 100 if is_rate(one.path) else 1
    low, high = scale * one.low, scale * one.high
    interval = "-" if math.isnan(low) else f"{low:+.1f} to {high:+.1f}"
    return [
        figure_title(one.path),
        format_figure(one.path, one.first),
        format_figure(one.path, one.other),
        f"{scale * (one.other - one.first):+.1f}",
        interval,
        f"{one.other / one.first:.2f}" if one.first else "-",
    ]
