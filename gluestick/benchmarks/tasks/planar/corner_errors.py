"""Homographies from points, from lines and from both, where the true one is known.

The error of a homography is the mean distance of the four image corners.
"""

from collections.abc import Sequence

import numpy as np

from gluestick.benchmarks.tasks.outcomes import median_of
from gluestick.benchmarks.tasks.predicted_matches import (
    matched_lines,
    matched_points,
    original_threshold,
)
from gluestick.benchmarks.tasks.protocol import ErrorCurve, Figures, Prediction, Scores
from gluestick.estimation import estimate_homography
from gluestick.geometry.homography import homography_corner_error
from gluestick.supervision.geometry_metrics import error_auc
from gluestick.timing import StageTimer

_AUC_THRESHOLDS = (1, 3, 5)  # px
_FEATURES = {"points": "points", "lines": "lines", "points_lines": "points and lines"}

CORNER_ERROR_CURVES = tuple(
    ErrorCurve(
        name=f"{features}/corner_error",
        title=f"Corner error of homographies from {title}",
        unit="px",
        limit=10.0,
    )
    for features, title in _FEATURES.items()
)
"""The curves of a benchmark whose scores hold :func:`homography_scores`."""


def auc_names(features: str) -> tuple[str, ...]:
    """Return the names of the areas under the curve for points, lines or points_lines."""
    return tuple(f"{features}/auc@{threshold}px" for threshold in _AUC_THRESHOLDS)


def homography_scores(prediction: Prediction, H_0to1: np.ndarray, *, max_error: float) -> Scores:
    """Estimate homographies from the matches of a pair and compare them with the true one.

    Args:
        prediction: The stored matches.
        H_0to1: [3, 3], between the images as they were matched.
        max_error: The inlier threshold, px of the images as the detectors saw them.

    Returns:
        ``points/corner_error``, ``lines/corner_error`` and ``points_lines/corner_error`` in px
        of image 1, inf where there is no estimate, and ``seconds_estimation`` of the last.
    """
    points, lines = matched_points(prediction), matched_lines(prediction)
    no_points, no_lines = np.zeros((0, 2)), np.zeros((0, 2, 2))
    inputs = {
        "points": (*points, no_lines, no_lines),
        "lines": (no_points, no_points, *lines),
        "points_lines": (*points, *lines),
    }
    width, height = prediction["image_size0"].tolist()
    threshold = original_threshold(prediction, max_error)
    scores: Scores = {}
    for features, arrays in inputs.items():
        timer = StageTimer()
        with timer.stage("estimation"):
            estimate = estimate_homography(*arrays, max_error=threshold)
        scores[f"{features}/corner_error"] = (
            float("inf")
            if estimate is None
            else float(homography_corner_error(estimate.H_0to1, H_0to1, image_size=(width, height)))
        )
    return scores | {"seconds_estimation": timer.seconds["estimation"]}


def homography_figures(scores: Sequence[Scores]) -> Figures:
    """Return the areas under the curve and the medians of the corner errors of all pairs."""
    figures: Figures = {}
    for features in _FEATURES:
        errors = np.array([pair[f"{features}/corner_error"] for pair in scores])
        areas = error_auc(errors, _AUC_THRESHOLDS)
        figures |= dict(zip(auc_names(features), areas, strict=True))
        figures[f"{features}/median_corner_error"] = median_of(f"{features}/corner_error", scores)
    return figures
