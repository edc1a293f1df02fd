"""The geometry of a pair of images: which model its matches follow, and whether it is chance."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from gluestick.estimation import (
    FundamentalEstimate,
    HomographyEstimate,
    RelativePoseEstimate,
    estimate_fundamental,
    estimate_homography,
    estimate_relative_pose,
)
from gluestick.geometry.epipolar import epipolar_distance, essential_from_pose
from gluestick.geometry.homography import transform_points
from gluestick.types import Pose
from gluestick.types.cameras import CameraLike

GeometryChoice = Literal["auto", "homography", "fundamental", "none"]
"""What is estimated; ``auto`` decides between a homography and epipolar geometry."""

GeometryName = Literal["homography", "fundamental", "none"]
"""The model whose inliers are given."""

_TRUSTED_BELOW = -30.0
"""Unrelated photographs reach -25.6, because wrong matches agree with each other."""


@dataclass(frozen=True, kw_only=True)
class TwoViewGeometry:
    """What was estimated from the matches of a pair.

    Attributes:
        geometry: The model whose inliers are given; "none" where nothing was estimated or found.
        H_0to1: [3, 3], the homography from image 0 to image 1 in px; or None.
        F_0to1: [3, 3], with (x1, 1)^T F (x0, 1) = 0 in px; or None.
        E_0to1: [3, 3], the same for undistorted coordinates divided by K, where both cameras are
            known; or None.
        pose_0to1: X1 = R X0 + t between the cameras, t of unit length; or None.
        point_inliers: [S] bool, which matched points agree with the model; or None.
        line_inliers: [T] bool, the same for the matched lines; None where lines took no part.
        trusted: Whether the model is unlikely to be chance.
        log10_false_alarms: The logarithm of how many models at least as good are expected among
            random matches; infinite without a model.
    """

    geometry: GeometryName = "none"
    H_0to1: np.ndarray | None = None
    F_0to1: np.ndarray | None = None
    E_0to1: np.ndarray | None = None
    pose_0to1: Pose | None = None
    point_inliers: np.ndarray | None = None
    line_inliers: np.ndarray | None = None
    trusted: bool = False
    log10_false_alarms: float = np.inf


@dataclass(frozen=True, kw_only=True)
class PairMatches:
    """The matched points and lines of a pair, from which its geometry is estimated.

    Attributes:
        points0: [S, 2] px in image 0.
        points1: [S, 2] px in image 1, in the same order.
        lines0: [T, 2, 2] px.
        lines1: [T, 2, 2] px.
        image_size0: (width, height) px.
        image_size1: (width, height) px.
    """

    points0: np.ndarray
    points1: np.ndarray
    lines0: np.ndarray
    lines1: np.ndarray
    image_size0: tuple[int, int]
    image_size1: tuple[int, int]


def estimate_geometry(
    matches: PairMatches,
    *,
    geometry: GeometryChoice = "auto",
    camera0: CameraLike | None = None,
    camera1: CameraLike | None = None,
    max_error: float = 3.0,
) -> TwoViewGeometry:
    """Estimate what relates two images, and say whether it can be trusted.

    Args:
        matches: The matches.
        geometry: ``homography``, ``fundamental``, ``none``, or ``auto`` for the one of the first
            two that is less likely to be chance; the other is then given too where it was found.
        camera0: The calibration of image 0 for the essential matrix and the relative pose.
        camera1: The calibration of image 1.
        max_error: The largest error of an inlier, px.

    Returns:
        The model, its inliers and its verdict.

    Raises:
        ValueError: If the choice is another one, only one camera is given, or an option or an
            array does not fit.
    """
    if geometry not in ("auto", "homography", "fundamental", "none"):
        raise ValueError(
            f"geometry needs to be auto, homography, fundamental or none, found {geometry!r}"
        )
    if (camera0 is None) != (camera1 is None):
        raise ValueError("geometry needs the calibration of both images, or of neither")
    found: list[TwoViewGeometry] = []
    if geometry in ("auto", "homography"):
        found.append(_homography(matches, max_error=max_error))
    if geometry in ("auto", "fundamental"):
        found.append(_epipolar(matches, max_error=max_error))
    if not found:
        return TwoViewGeometry()
    best = min(found, key=lambda model: model.log10_false_alarms)
    for model in found:
        if model.H_0to1 is not None:
            best = replace(best, H_0to1=model.H_0to1)
        if model.F_0to1 is not None:
            best = replace(best, F_0to1=model.F_0to1)
    if camera0 is None or camera1 is None:
        return best
    pose = _pose(matches, camera0, camera1, max_error=max_error)
    if pose is None:
        return best
    return replace(best, E_0to1=essential_from_pose(pose.pose_0to1), pose_0to1=pose.pose_0to1)


def _homography(matches: PairMatches, *, max_error: float) -> TwoViewGeometry:
    estimate: HomographyEstimate | None = estimate_homography(
        matches.points0, matches.points1, matches.lines0, matches.lines1, max_error=max_error
    )
    if estimate is None:
        return TwoViewGeometry(geometry="none", line_inliers=np.zeros(len(matches.lines0), bool))
    mapped = transform_points(estimate.H_0to1, matches.points0)
    errors = np.linalg.norm(mapped - matches.points1, axis=1)
    width, height = matches.image_size1
    chances = np.pi * errors**2 / (width * height)
    log10 = _log10_false_alarms(chances, sample_size=4, num_models=1)
    return TwoViewGeometry(
        geometry="homography",
        H_0to1=estimate.H_0to1,
        point_inliers=estimate.point_inliers,
        line_inliers=estimate.line_inliers,
        trusted=log10 < _TRUSTED_BELOW,
        log10_false_alarms=log10,
    )


def _epipolar(matches: PairMatches, *, max_error: float) -> TwoViewGeometry:
    estimate: FundamentalEstimate | None = estimate_fundamental(
        matches.points0, matches.points1, max_error=max_error
    )
    if estimate is None:
        return TwoViewGeometry()
    errors = epipolar_distance(estimate.F_0to1, matches.points0, matches.points1)
    width, height = matches.image_size1
    chances = 2 * np.hypot(width, height) * errors / (width * height)
    log10 = _log10_false_alarms(chances, sample_size=7, num_models=3)
    return TwoViewGeometry(
        geometry="fundamental",
        F_0to1=estimate.F_0to1,
        point_inliers=estimate.point_inliers,
        trusted=log10 < _TRUSTED_BELOW,
        log10_false_alarms=log10,
    )


def _pose(
    matches: PairMatches, camera0: CameraLike, camera1: CameraLike, *, max_error: float
) -> RelativePoseEstimate | None:
    return estimate_relative_pose(
        matches.points0, matches.points1, camera0, camera1, max_error=max_error
    )


def _log10_false_alarms(chances: np.ndarray, *, sample_size: int, num_models: int) -> float:
    """Return the least number of false alarms over all thresholds (Moisan and Stival, IJCV 2004).

    Args:
        chances: [S], the probability that a random match has at most the error of each match.
        sample_size: The matches that determine a model.
        num_models: How many models they leave at most.
    """
    count = len(chances)
    if count <= sample_size:
        return np.inf
    ordered = np.sort(np.clip(np.nan_to_num(chances, nan=1.0), 1e-12, 1.0))[sample_size:]
    agreeing = np.arange(sample_size + 1, count + 1)
    log10 = (
        np.log10(num_models * (count - sample_size))
        + _log10_binomial(count, agreeing)
        + _log10_binomial(agreeing, sample_size)
        + (agreeing - sample_size) * np.log10(ordered)
    )
    return float(log10.min())


def _log10_binomial(n: np.ndarray | int, k: np.ndarray | int) -> np.ndarray:
    from scipy.special import gammaln

    n, k = np.asarray(n), np.asarray(k)
    return (gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)) / np.log(10)
