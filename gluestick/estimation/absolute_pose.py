"""The pose of a camera from points and lines whose positions in the world are known."""

from dataclasses import dataclass

import numpy as np
import poselib

from gluestick.estimation.inputs import (
    ArrayLike,
    as_arrays,
    poselib_camera,
    poselib_options,
)
from gluestick.geometry.distortion import undistort_points
from gluestick.geometry.lines import line_lengths
from gluestick.geometry.points import line_deviation
from gluestick.types import Pose
from gluestick.types.cameras import CameraLike, as_camera

_MIN_INLIERS = 4
"""Three points or lines leave several poses."""


@dataclass(frozen=True, kw_only=True)
class AbsolutePoseEstimate:
    """The pose of a camera and the matches that agree with it.

    Attributes:
        cam_from_world: X_camera = R X_world + t.
        point_inliers: [S] bool.
        line_inliers: [M] bool.
    """

    cam_from_world: Pose
    point_inliers: np.ndarray
    line_inliers: np.ndarray


def estimate_absolute_pose(
    points2d: ArrayLike,
    points3d: ArrayLike,
    camera: CameraLike,
    lines2d: ArrayLike | None = None,
    lines3d: ArrayLike | None = None,
    *,
    max_error: float = 3.0,
    confidence: float = 0.9999,
    max_iterations: int = 20_000,
    seed: int = 0,
) -> AbsolutePoseEstimate | None:
    """Estimate the pose of a camera from matched points and lines, with PoseLib.

    LO-RANSAC on samples of three points or lines in any mixture, and a non-linear refinement
    on both. The endpoints of a line in the image and in the world need not correspond. The
    camera matrix is in the convention of the points: the principal point is measured from the
    centre of the top-left pixel. Points and endpoints are undistorted first where the camera
    has distortion.

    Args:
        points2d: [S, 2] px.
        points3d: [S, 3], in the same order, in any unit of length.
        camera: The calibration of the image, without skew: a Camera, or K [3, 3] px.
        lines2d: [M, 2, 2] px, two points on each line.
        lines3d: [M, 2, 3], two points on each line. Lines without length in the image or in
            the world are never inliers.
        max_error: The largest reprojection error of an inlier in px: for a point, the
            distance; for a line, the sum of the distances of both endpoints from the projected
            line. Inliers are counted before the last refinement.
        confidence: The wanted probability of having drawn a sample without outliers.
        max_iterations: At most this many samples are drawn.
        seed: Decides which; equal input and seed give equal output, up to rounding.

    Returns:
        The pose and its inliers, or None if fewer than four matches agree, or if only points
        on a line do.

    Raises:
        ValueError: If shapes or counts do not fit, a coordinate is NaN or infinite, only one
            of ``lines2d`` and ``lines3d`` is given, K is not that of a camera without skew, or
            an option is out of range.
    """
    owner = "estimate_absolute_pose"
    options = poselib_options(
        owner, max_error=max_error, confidence=confidence, max_iterations=max_iterations, seed=seed
    )
    camera = as_camera(camera, name=f"{owner}.camera")
    pinhole = poselib_camera(owner, camera)
    if (lines2d is None) != (lines3d is None):
        raise ValueError(f"{owner} needs both lines2d and lines3d, or neither")
    values = {
        "points2d": points2d,
        "points3d": points3d,
        "lines2d": np.zeros((0, 2, 2)) if lines2d is None else lines2d,
        "lines3d": np.zeros((0, 2, 3)) if lines3d is None else lines3d,
    }
    specs = {"points2d": "S 2", "points3d": "S 3", "lines2d": "M 2 2", "lines3d": "M 2 3"}
    image_points, world_points, image_lines, world_lines = as_arrays(owner, values, specs)
    image_points, image_lines = (
        undistort_points(positions, camera) for positions in (image_points, image_lines)
    )
    usable = (line_lengths(image_lines) > 0) & (line_lengths(world_lines) > 0)
    if len(image_points) + usable.sum() < _MIN_INLIERS:
        return None

    motion, info = poselib.estimate_absolute_pose_pnpl(
        image_points,
        world_points,
        *image_lines[usable].swapaxes(0, 1),
        *world_lines[usable].swapaxes(0, 1),
        pinhole,
        options,
        {},
    )
    point_inliers = np.array(info["inliers"], dtype=bool)
    line_inliers = np.zeros(len(usable), dtype=bool)
    line_inliers[usable] = info["inliers_lines"]
    on_a_line = not line_inliers.any() and (
        line_deviation(image_points[point_inliers]) < 1e-6 * max_error
    )
    agreeing = point_inliers.sum() + line_inliers.sum()
    if agreeing < _MIN_INLIERS or on_a_line or not np.isfinite(motion.Rt).all():
        return None
    return AbsolutePoseEstimate(
        cam_from_world=Pose(R=motion.R, t=motion.t),
        point_inliers=point_inliers,
        line_inliers=line_inliers,
    )
