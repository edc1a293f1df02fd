"""The fundamental matrix of two uncalibrated images from matched points."""

from dataclasses import dataclass

import numpy as np
import poselib

from gluestick.estimation.inputs import ArrayLike, as_arrays, poselib_options
from gluestick.geometry.points import line_deviation

_MIN_INLIERS = 8
"""Seven points leave up to three matrices."""


@dataclass(frozen=True, kw_only=True)
class FundamentalEstimate:
    """A fundamental matrix and the matches that agree with it.

    Attributes:
        F_0to1: [3, 3] float64 of unit norm and rank 2, with (x1, 1)^T F (x0, 1) = 0 in px.
        point_inliers: [S] bool.
    """

    F_0to1: np.ndarray
    point_inliers: np.ndarray


def estimate_fundamental(
    points0: ArrayLike,
    points1: ArrayLike,
    *,
    max_error: float = 1.0,
    confidence: float = 0.9999,
    max_iterations: int = 100_000,
    seed: int = 0,
) -> FundamentalEstimate | None:
    """Estimate the fundamental matrix of two images from matched points, with PoseLib.

    LO-RANSAC on seven-point samples and a non-linear refinement. If all points lie on a plane
    of the scene, the result is one of many that agree with them; use
    :func:`~gluestick.estimation.estimate_homography` there.

    Args:
        points0: [S, 2] px in image 0.
        points1: [S, 2] px in image 1, in the same order.
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
    arrays = as_arrays(
        owner, {"points0": points0, "points1": points1}, {"points0": "S 2", "points1": "S 2"}
    )
    if len(arrays[0]) < _MIN_INLIERS:
        return None
    F, info = poselib.estimate_fundamental(*arrays, options, {})
    inliers = np.array(info["inliers"], dtype=bool)
    if (
        inliers.sum() < _MIN_INLIERS
        or not np.isfinite(F).all()
        or min(line_deviation(points[inliers]) for points in arrays) < 1e-6 * max_error
    ):
        return None
    return FundamentalEstimate(F_0to1=F / np.linalg.norm(F), point_inliers=inliers)
