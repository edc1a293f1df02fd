"""Scores of points and lines where a homography is known."""

from collections.abc import Sequence

import numpy as np
import torch

from gluestick.benchmarks.tasks.outcomes import match_rates, mean_of, outcome_scores
from gluestick.benchmarks.tasks.predicted_matches import matched_points
from gluestick.benchmarks.tasks.protocol import Figures, Prediction, Scores
from gluestick.supervision.geometry_metrics import symmetric_homography_error
from gluestick.supervision.line_overlap import line_overlaps_by_homography
from gluestick.supervision.line_truth import line_truth_from_homography
from gluestick.supervision.point_truth import point_truth_from_homography

RIGHT_POINT_ERROR = 3.0
"""px, below which a point match counts as right in pictures."""


def planar_point_errors(prediction: Prediction, H_0to1: np.ndarray) -> np.ndarray:
    """Return how far the reported point matches [S] are from a homography, px."""
    points0, points1 = (points.astype(np.float64) for points in matched_points(prediction))
    return symmetric_homography_error(points0, points1, H_0to1)


def planar_point_scores(prediction: Prediction, H_0to1: np.ndarray) -> Scores:
    """Compare point matches with those that are true under a homography.

    Args:
        prediction: The pair as stored.
        H_0to1: [3, 3] px.

    Returns:
        The outcomes of the points, their number and ``points/right``.
    """
    truth = point_truth_from_homography(
        torch.from_numpy(prediction["keypoints0"])[None],
        torch.from_numpy(prediction["keypoints1"])[None],
        torch.from_numpy(H_0to1)[None],
    )
    scores = outcome_scores(
        "points",
        candidate_matches0=prediction["candidate_matches0"],
        matching_scores0=prediction["matching_scores0"],
        matches0=prediction["matches0"],
        gt_matches0=truth.matches0[0].numpy(),
    )
    errors = planar_point_errors(prediction, H_0to1)
    return scores | {
        "points/num_matches": float(len(errors)),
        "points/right": errors < RIGHT_POINT_ERROR,
    }


def planar_line_scores(prediction: Prediction, H_0to1: np.ndarray) -> Scores:
    """Compare line matches with those that are true under a homography.

    Args:
        prediction: The pair as stored.
        H_0to1: [3, 3] px.

    Returns:
        The outcomes of the lines, their number, how many of the reported matches could be
        judged and overlap, and ``lines/right``, those that overlap.
    """
    lines0, lines1 = (torch.from_numpy(prediction[f"lines{side}"])[None] for side in (0, 1))
    homography = torch.from_numpy(H_0to1)[None]
    size0, size1 = (torch.from_numpy(prediction[f"image_size{side}"])[None] for side in (0, 1))
    truth = line_truth_from_homography(
        lines0, lines1, homography, image_size0=size0, image_size1=size1
    )
    scores = outcome_scores(
        "lines",
        candidate_matches0=prediction["candidate_line_matches0"],
        matching_scores0=prediction["line_matching_scores0"],
        matches0=prediction["line_matches0"],
        gt_matches0=truth.matches0[0].numpy(),
    )
    matches0 = prediction["line_matches0"]
    overlaps = line_overlaps_by_homography(
        lines0,
        lines1,
        torch.from_numpy(matches0)[None],
        homography,
        image_size0=size0,
        image_size1=size1,
    )
    overlapping = overlaps.overlapping[0].numpy()
    return scores | {
        "lines/num_matches": float((matches0 > -1).sum()),
        "lines/num_judged": float(overlaps.judged.sum()),
        "lines/num_overlapping": float(overlapping.sum()),
        "lines/right": overlapping[matches0 > -1],
    }


def line_figures(scores: Sequence[Scores]) -> Figures:
    """Return the figures of lines over a set of pairs.

    Args:
        scores: With what :func:`planar_line_scores` returned.

    Returns:
        ``precision``, ``recall`` and ``ap`` by one-to-one ground truth, ``overlap_precision``,
        the share of reported matches that overlap the true line at all, and the mean
        ``num_matches``.
    """
    rates = match_rates("lines", scores)
    judged = sum(float(pair["lines/num_judged"]) for pair in scores)
    overlapping = sum(float(pair["lines/num_overlapping"]) for pair in scores)
    return {
        "lines/precision": rates.precision,
        "lines/recall": rates.recall,
        "lines/ap": rates.average_precision,
        "lines/overlap_precision": overlapping / judged if judged else float("nan"),
        "lines/num_matches": mean_of("lines/num_matches", scores),
    }
