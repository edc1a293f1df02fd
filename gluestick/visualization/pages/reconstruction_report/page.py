"""The page of a reconstruction."""

import os
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from gluestick.visualization.pages.page_parts import resource, script_json, write_page
from gluestick.visualization.pages.reconstruction_report.figures import (
    error_chart,
    pair_matrix,
    pair_table,
    photograph_table,
    track_length_chart,
)
from gluestick.visualization.pages.reconstruction_report.scene import (
    MAX_LINES,
    MAX_POINTS,
    ReportScene,
    scene_data,
)

_FOLDER = "reconstruction_report"


def write_reconstruction_report(
    path: str | os.PathLike[str],
    scene: ReportScene,
    record: Mapping[str, Any],
    *,
    line_errors: np.ndarray | None = None,
    title: str = "Reconstruction",
) -> None:
    """Write one HTML page that needs nothing else, neither other files nor a network.

    It shows cameras, points and lines in space, to be turned, moved and enlarged by mouse, touch
    and keys, and below which photographs were registered and why others were not, track lengths,
    reprojection errors, the matches of each pair, and the line map's figures. At most 200,000
    points and 50,000 lines are shown, which the page says.

    Args:
        path: The file.
        scene: What is shown in space.
        record: What ``reconstruction.json`` holds: ``models``, ``photographs``, ``pairs`` and
            optionally ``line_map``.
        line_errors: [M] px, the reprojection errors of the lines.
        title: What stands at the top, any text.

    Raises:
        ValueError: If ``path`` is a folder.
        OSError: If the file cannot be written; an earlier file is left as it was.
    """
    models, photographs, pairs = record["models"], record["photographs"], record["pairs"]
    lines = record.get("line_map")
    charts = [
        track_length_chart(
            "Points by the number of photographs that see them",
            models[0]["track_lengths"] if models else {},
        ),
        error_chart("Points by reprojection error", scene.point_errors),
    ]
    if lines is not None:
        charts.append(
            track_length_chart(
                "Lines by the number of photographs that see them", lines["track_lengths"]
            )
        )
        charts.append(
            error_chart(
                "Lines by reprojection error",
                np.zeros(0) if line_errors is None else line_errors,
            )
        )
    parts = {
        "TITLE": escape(title),
        "SUMMARY": _summary(record),
        "LIMITS": _limits(scene),
        "CHARTS": "".join(charts),
        "PHOTOGRAPHS": photograph_table(photographs),
        "MATRIX": pair_matrix(photographs, pairs),
        "PAIRS": pair_table(pairs),
        "DATA": script_json(scene_data(scene)),
        "SCRIPT": resource(f"{_FOLDER}/space.js"),
    }
    write_page(path, f"{_FOLDER}/page.html", parts)


def _summary(record: Mapping[str, Any]) -> str:
    models: Sequence[Mapping[str, Any]] = record["models"]
    photographs, lines = record["photographs"], record.get("line_map")
    registered = sum(bool(each["registered"]) for each in photographs)
    entries = [f"{registered} of {len(photographs)} photographs registered"]
    if models:
        first = models[0]
        entries.append(
            _seen(first["num_points"], "points", first["mean_track_length"])
            + _error(first["mean_reprojection_error"])
        )
    if lines is not None:
        entries.append(
            _seen(lines["num_lines"], "lines", lines["mean_track_length"])
            + _error(lines["mean_reprojection_error"])
        )
    if len(models) > 1:
        entries.append(f"{len(models) - 1} further models, which are not shown")
    verified = sum(pair["num_inliers"] > 0 for pair in record["pairs"])
    entries.append(f"{verified} of {len(record['pairs'])} pairs verified")
    return "".join(f"<li>{escape(entry)}</li>" for entry in entries)


def _seen(count: int, what: str, track_length: float) -> str:
    return f"{count} {what}, seen by {track_length:.1f} photographs each" if count else f"no {what}"


def _error(error: float | None) -> str:
    return "" if error is None else f", {error:.2f} px mean reprojection error"


def _limits(scene: ReportScene) -> str:
    texts = [
        f"{most:,} of {count:,} {what} are shown."
        for count, most, what in (
            (len(scene.points), MAX_POINTS, "points"),
            (len(scene.lines), MAX_LINES, "lines"),
        )
        if count > most
    ]
    return escape(" ".join(texts))
