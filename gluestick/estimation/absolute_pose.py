"""The pose of a camera from points and lines whose positions in the world are known."""

from dataclasses import dataclass

import numpy as np
import poselib

from gluestick.estimation.absolute_refinement import WorldMatches, line_errors, point_errors
from gluestick.estimation.chance.backgrounds import Extent, projection_chances
from gluestick.estimation.chance.copies import (
    distinct,
    line_representatives,
    point_representatives,
    spread_to_copies,
)
from gluestick.estimation.chance.false_alarms import Verdict, independence_weights, judge
from gluestick.estimation.inputs import (
    ArrayLike,
    as_arrays,
    poselib_camera,
    poselib_options,
)
from gluestick.geometry.distortion import undistort_points
from gluestick.geometry.lines import line_lengths
from gluestick.geometry.points import line_deviation
from gluestick.types import Camera, Pose
from gluestick.types.cameras import CameraLike, as_camera

_MIN_INLIERS = 4
"""Three points or lines leave several poses."""

_MASKS = ("inliers", "inliers_lines")
"""What PoseLib calls the inliers."""


@dataclass(frozen=True, kw_only=True)
class AbsolutePoseEstimate:
    """The pose of a camera and the matches that agree with it.

    Attributes:
        cam_from_world: X_camera = R X_world + t.
        point_inliers: [S] bool.
        line_inliers: [M] bool.
        log10_false_alarms: The logarithm of the expected number of poses that as many random
            matches agree with as well; see :mod:`gluestick.estimation.chance.false_alarms`.
        trusted: Whether that is too small for chance.
    """

    cam_from_world: Pose
    point_inliers: np.ndarray
    line_inliers: np.ndarray
    log10_false_alarms: float
    trusted: bool


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
    on both. Copies of a match, at the same place in the world and within ``max_error`` in the
    image, count once. The endpoints of a line in the image and in the world need not
    correspond. The camera matrix is in the convention of the points: the principal point is
    measured from the centre of the top-left pixel.

    Args:
        points2d: [S, 2] px.
        points3d: [S, 3], in the same order, in any unit of length.
        camera: The calibration of the image, without skew: a camera, or K [3, 3].
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
    camera = as_camera(camera)
    pinhole = poselib_camera(owner, camera)
    matches = world_matches(owner, points2d, points3d, lines2d, lines3d)
    world_points, world_lines = matches.points3d, matches.lines3d
    image_points, image_lines = (
        undistort_points(positions, camera) for positions in (matches.points2d, matches.lines2d)
    )
    camera = Camera(K=camera.K)
    usable = (line_lengths(image_lines) > 0) & (line_lengths(world_lines) > 0)
    image_lines, world_lines = image_lines[usable], world_lines[usable]
    unit = _world_unit(world_points, world_lines) / max_error
    point_copies = point_representatives(image_points, world_points / unit, radius=max_error)
    line_copies = line_representatives(image_lines, world_lines / unit, radius=max_error)
    points, lines = distinct(point_copies), distinct(line_copies)
    if len(points) + len(lines) < _MIN_INLIERS:
        return None

    motion, info = poselib.estimate_absolute_pose_pnpl(
        image_points[points],
        world_points[points],
        *image_lines[lines].swapaxes(0, 1),
        *world_lines[lines].swapaxes(0, 1),
        pinhole,
        options,
        {},
    )
    point_mask, line_mask = (np.array(info[key], dtype=bool) for key in _MASKS)
    on_a_line = not line_mask.any() and (
        line_deviation(image_points[points][point_mask]) < 1e-6 * max_error
    )
    agreeing = point_mask.sum() + line_mask.sum()
    if agreeing < _MIN_INLIERS or on_a_line or not np.isfinite(motion.Rt).all():
        return None
    pose = Pose(R=motion.R, t=motion.t)
    off_points = point_errors(pose, camera, image_points, world_points)
    off_lines = line_errors(pose, camera, image_lines, world_lines)
    point_inliers = spread_to_copies(point_mask, point_copies, agreeing=off_points <= max_error)
    used_lines = spread_to_copies(line_mask, line_copies, agreeing=off_lines <= max_error)
    line_inliers = np.zeros(len(usable), dtype=bool)
    line_inliers[usable] = used_lines
    verdict = pose_verdict(
        image_points,
        image_lines,
        errors=(off_points, off_lines),
        agreeing=np.concatenate([point_inliers, used_lines]),
    )
    return AbsolutePoseEstimate(
        cam_from_world=pose,
        point_inliers=point_inliers,
        line_inliers=line_inliers,
        **verdict._asdict(),
    )


def world_matches(
    owner: str,
    points2d: ArrayLike,
    points3d: ArrayLike,
    lines2d: ArrayLike | None,
    lines3d: ArrayLike | None,
) -> WorldMatches:
    """Return matches as arrays after checking them, without lines where none are given.

    Raises:
        ValueError: If shapes or counts do not fit, a coordinate is NaN or infinite, or only one
            of ``lines2d`` and ``lines3d`` is given.
    """
    if (lines2d is None) != (lines3d is None):
        raise ValueError(f"{owner} needs both lines2d and lines3d, or neither")
    values = {
        "points2d": points2d,
        "points3d": points3d,
        "lines2d": np.zeros((0, 2, 2)) if lines2d is None else lines2d,
        "lines3d": np.zeros((0, 2, 3)) if lines3d is None else lines3d,
    }
    specs = {"points2d": "S 2", "points3d": "S 3", "lines2d": "M 2 2", "lines3d": "M 2 3"}
    arrays = as_arrays(owner, values, specs)
    return WorldMatches(
        points2d=arrays[0], points3d=arrays[1], lines2d=arrays[2], lines3d=arrays[3]
    )


def pose_verdict(
    points: np.ndarray,
    lines: np.ndarray,
    *,
    errors: tuple[np.ndarray, np.ndarray],
    agreeing: np.ndarray,
    sample_size: int = 3,
) -> Verdict:
    """Tell whether a pose can be chance.

    Args:
        points: [S, 2] px.
        lines: [M, 2, 2] px.
        errors: [S] and [M] px.
        agreeing: [S + M] bool, the inliers, points first.
        sample_size: How many matches define a pose.
    """
    extent = Extent.of(points, lines)
    return judge(
        projection_chances(*errors, line_lengths(lines), extent),
        agreeing,
        independence_weights([np.concatenate([points, lines.mean(1)])]),
        sample_size=sample_size,
        num_solutions=8,
    )


def _world_unit(points: np.ndarray, lines: np.ndarray) -> float:
    """Return a length in the world below which two positions are the same."""
    positions = np.concatenate([points, lines.reshape(-1, 3)])
    size = np.ptp(positions, axis=0).max() if len(positions) else 0.0
    return float(1e-6 * size) or 1.0
