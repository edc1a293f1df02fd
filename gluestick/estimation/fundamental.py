"""The fundamental matrix of two uncalibrated images from matched points."""

from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
import poselib

from gluestick.estimation.chance.backgrounds import epipolar_chances
from gluestick.estimation.chance.copies import distinct, point_representatives, spread_to_copies
from gluestick.estimation.chance.false_alarms import independence_weights, judge
from gluestick.estimation.inputs import (
    ArrayLike,
    as_arrays,
    check_choice,
    magsac_options,
    poselib_options,
)
from gluestick.geometry.epipolar import epipolar_distance
from gluestick.geometry.points import line_deviation

FundamentalSolver = Literal["poselib", "magsac"]
"""``poselib``: PoseLib's LO-RANSAC. ``magsac``: OpenCV's MAGSAC++."""

_MIN_INLIERS = 8
"""Seven points leave up to three matrices."""


@dataclass(frozen=True, kw_only=True)
class FundamentalEstimate:
    """A fundamental matrix and the matches that agree with it.

    Attributes:
        F_0to1: [3, 3] float64 of unit norm and rank 2, with (x1, 1)^T F (x0, 1) = 0 in px.
        point_inliers: [S] bool.
        log10_false_alarms: The logarithm of the expected number of matrices that as many random
            matches agree with as well; see :mod:`gluestick.estimation.chance.false_alarms`.
        trusted: Whether that is too small for chance.
    """

    F_0to1: np.ndarray
    point_inliers: np.ndarray
    log10_false_alarms: float
    trusted: bool


def estimate_fundamental(
    points0: ArrayLike,
    points1: ArrayLike,
    *,
    solver: FundamentalSolver = "poselib",
    max_error: float = 1.0,
    confidence: float = 0.9999,
    max_iterations: int = 100_000,
    seed: int = 0,
) -> FundamentalEstimate | None:
    """Estimate the fundamental matrix of two images from matched points.

    By default with PoseLib: LO-RANSAC on seven-point samples and a non-linear refinement.
    Copies of a match, within ``max_error`` of it in both images, count once. If all points lie
    on a plane of the scene, the result is one of many that agree with them; use
    :func:`~gluestick.estimation.estimate_homography` there, or let
    :func:`~gluestick.estimation.estimate_two_view_geometry` decide.

    Args:
        points0: [S, 2] px in image 0.
        points1: [S, 2] px in image 1, in the same order.
        solver: Which estimator is used; see :data:`FundamentalSolver`.
        max_error: The largest Sampson distance of an inlier in px, before the last
            refinement.
        confidence: The wanted probability of having drawn a sample without outliers.
        max_iterations: At most this many samples are drawn.
        seed: Decides which; equal input and seed give equal output, up to rounding.

    Returns:
        The matrix and its inliers, or None if fewer than eight matches agree, or if all that
        do lie on a line.

    Raises:
        ValueError: If shapes or counts do not fit, a coordinate is NaN or infinite, or an
            option is out of range.
    """
    owner = "estimate_fundamental"
    options = poselib_options(
        owner, max_error=max_error, confidence=confidence, max_iterations=max_iterations, seed=seed
    )
    check_choice(owner, "solver", solver, get_args(FundamentalSolver))
    arrays = as_arrays(
        owner, {"points0": points0, "points1": points1}, {"points0": "S 2", "points1": "S 2"}
    )
    representatives = point_representatives(*arrays, radius=max_error)
    chosen = distinct(representatives)
    if len(chosen) < _MIN_INLIERS:
        return None
    points = [values[chosen] for values in arrays]
    if solver == "poselib":
        F, info = poselib.estimate_fundamental(*points, options, {})
        mask = np.array(info["inliers"], dtype=bool)
    else:
        own = magsac_options(
            max_error=max_error, confidence=confidence, max_iterations=max_iterations, seed=seed
        )
        F, found = cv2.findFundamentalMat(points[0], points[1], own)
        mask = np.zeros(len(chosen), dtype=bool) if found is None else found[:, 0] > 0
    if (
        mask.sum() < _MIN_INLIERS
        or F is None
        or not np.isfinite(F).all()
        or min(line_deviation(values[mask]) for values in points) < 1e-6 * max_error
    ):
        return None
    F = F / np.linalg.norm(F)
    inliers = spread_to_copies(
        mask, representatives, agreeing=epipolar_distance(F, *arrays) <= max_error
    )
    verdict = judge(
        epipolar_chances(F, *arrays),
        inliers,
        independence_weights(arrays),
        sample_size=7,
        num_solutions=3,
    )
    return FundamentalEstimate(F_0to1=F, point_inliers=inliers, **verdict._asdict())
