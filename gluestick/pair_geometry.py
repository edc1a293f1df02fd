"""The geometry of a pair of images: which model its matches follow, and whether it is chance."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from gluestick.estimation import (
    estimate_fundamental,
    estimate_homography,
    estimate_relative_pose,
    estimate_two_view_geometry,
)
from gluestick.estimation.fundamental import FundamentalSolver
from gluestick.estimation.homography import HomographySolver
from gluestick.estimation.two_view import TwoViewGeometry
from gluestick.types import Pose
from gluestick.types.cameras import CameraLike

MAX_ERROR = 3.0
"""The largest error of an inlier, in px of the images as detectors saw them."""

GeometryChoice = Literal["auto", "homography", "fundamental", "none"]
"""What is estimated; ``auto`` decides between a homography and epipolar geometry."""

GeometryName = Literal["homography", "fundamental", "none"]
"""The model whose inliers are given."""


@dataclass(frozen=True, kw_only=True)
class PairGeometry:
    """What was estimated from the matches of a pair.

    Attributes:
        geometry: The model whose inliers are given; "none" where nothing was estimated or found.
        H_0to1: [3, 3], the homography from image 0 to image 1 in px; or None.
        F_0to1: [3, 3], with (x1, 1)^T F (x0, 1) = 0 in px; or None. Where cameras have
            distortion, both hold for undistorted px.
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
        pixel: How many px of the images one px of what the detectors saw is.
    """

    points0: np.ndarray
    points1: np.ndarray
    lines0: np.ndarray
    lines1: np.ndarray
    image_size0: tuple[int, int]
    image_size1: tuple[int, int]
    pixel: float = 1.0


def estimate_geometry(
    matches: PairMatches,
    *,
    geometry: GeometryChoice = "auto",
    camera0: CameraLike | None = None,
    camera1: CameraLike | None = None,
    max_error: float | None = None,
    homography_solver: HomographySolver = "gluestick",
    fundamental_solver: FundamentalSolver = "poselib",
) -> PairGeometry:
    """Estimate what relates two images, and say whether it can be trusted.

    Args:
        matches: The matches.
        geometry: ``homography``, ``fundamental``, ``none``, or ``auto`` for the one of the first
            two that :func:`gluestick.estimation.estimate_two_view_geometry` chooses; the other
            is then given too where it was found.
        camera0: The calibration of image 0 for the essential matrix and the relative pose.
        camera1: The calibration of image 1.
        max_error: The largest error of an inlier, px of the images; None for 3 px of the images
            as detectors saw them.
        homography_solver: See :func:`gluestick.estimation.estimate_homography`.
        fundamental_solver: See :func:`gluestick.estimation.estimate_fundamental`; used where the
            cameras are not known.

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
    if geometry == "none":
        return PairGeometry()
    if max_error is None:
        max_error = MAX_ERROR * matches.pixel
    data = (matches.points0, matches.points1, matches.lines0, matches.lines1)
    if geometry == "auto":
        found = estimate_two_view_geometry(
            *data,
            camera0=camera0,
            camera1=camera1,
            homography_solver=homography_solver,
            fundamental_solver=fundamental_solver,
            max_error=max_error,
        )
        return _of_both(found)
    if geometry == "homography":
        estimate = _homography(matches, max_error=max_error, solver=homography_solver)
    else:
        estimate = _epipolar(matches, max_error=max_error, solver=fundamental_solver)
    if camera0 is None or camera1 is None:
        return estimate
    pose = estimate_relative_pose(*data[:2], camera0, camera1, max_error=max_error)
    if pose is None:
        return estimate
    return replace(estimate, E_0to1=pose.E_0to1, pose_0to1=pose.pose_0to1)


def _of_both(found: TwoViewGeometry) -> PairGeometry:
    homography, fundamental, pose = found.homography, found.fundamental, found.relative_pose
    return PairGeometry(
        geometry=found.model or "none",
        H_0to1=None if homography is None else homography.H_0to1,
        F_0to1=None if fundamental is None else fundamental.F_0to1,
        E_0to1=None if pose is None else pose.E_0to1,
        pose_0to1=None if pose is None else pose.pose_0to1,
        point_inliers=found.point_inliers,
        line_inliers=found.line_inliers,
        trusted=bool(found.trusted),
        log10_false_alarms=float(found.log10_false_alarms),
    )


def _homography(
    matches: PairMatches, *, max_error: float, solver: HomographySolver
) -> PairGeometry:
    estimate = estimate_homography(
        matches.points0,
        matches.points1,
        matches.lines0,
        matches.lines1,
        solver=solver,
        max_error=max_error,
    )
    if estimate is None:
        return PairGeometry(line_inliers=np.zeros(len(matches.lines0), dtype=bool))
    return PairGeometry(
        geometry="homography",
        H_0to1=estimate.H_0to1,
        point_inliers=estimate.point_inliers,
        line_inliers=estimate.line_inliers,
        trusted=bool(estimate.trusted),
        log10_false_alarms=float(estimate.log10_false_alarms),
    )


def _epipolar(matches: PairMatches, *, max_error: float, solver: FundamentalSolver) -> PairGeometry:
    estimate = estimate_fundamental(
        matches.points0, matches.points1, solver=solver, max_error=max_error
    )
    if estimate is None:
        return PairGeometry()
    return PairGeometry(
        geometry="fundamental",
        F_0to1=estimate.F_0to1,
        point_inliers=estimate.point_inliers,
        trusted=bool(estimate.trusted),
        log10_false_alarms=float(estimate.log10_false_alarms),
    )
