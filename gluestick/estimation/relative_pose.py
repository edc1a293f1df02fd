"""The relative pose of two calibrated cameras from matched points."""

from dataclasses import dataclass

import numpy as np
import poselib

from gluestick.estimation.chance.backgrounds import epipolar_chances
from gluestick.estimation.chance.copies import distinct, point_representatives, spread_to_copies
from gluestick.estimation.chance.false_alarms import independence_weights, judge
from gluestick.estimation.inputs import (
    ArrayLike,
    as_arrays,
    poselib_camera,
    poselib_options,
)
from gluestick.estimation.vanishing_points import find_vanishing_pairs, refine_with_directions
from gluestick.geometry.distortion import undistort_points
from gluestick.geometry.epipolar import (
    epipolar_distance,
    essential_from_pose,
    fundamental_from_essential,
)
from gluestick.geometry.lines import line_lengths
from gluestick.geometry.points import line_deviation
from gluestick.types import Camera, Pose
from gluestick.types.cameras import CameraLike, as_camera

_MIN_INLIERS = 6
"""Five points leave up to ten poses."""


@dataclass(frozen=True, kw_only=True)
class RelativePoseEstimate:
    """The motion between two cameras and the matches that agree with it.

    Attributes:
        pose_0to1: X1 = R X0 + t between the camera frames, t of unit length.
        point_inliers: [S] bool.
        log10_false_alarms: The logarithm of the expected number of poses that as many random
            matches agree with as well; see :mod:`gluestick.estimation.chance.false_alarms`.
        trusted: Whether that is too small for chance. The translation of a camera that only
            turned, or saw only far points, has no meaning all the same.
    """

    pose_0to1: Pose
    point_inliers: np.ndarray
    log10_false_alarms: float
    trusted: bool

    @property
    def E_0to1(self) -> np.ndarray:  # noqa: N802
        """[3, 3], the essential matrix [t]x R, for coordinates that are divided by K."""
        return essential_from_pose(self.pose_0to1)


def estimate_relative_pose(
    points0: ArrayLike,
    points1: ArrayLike,
    camera0: CameraLike,
    camera1: CameraLike,
    lines0: ArrayLike | None = None,
    lines1: ArrayLike | None = None,
    *,
    max_error: float = 1.0,
    confidence: float = 0.9999,
    max_iterations: int = 100_000,
    seed: int = 0,
) -> RelativePoseEstimate | None:
    """Estimate the relative pose of two images from matched points, with PoseLib.

    With lines, vanishing points that these share in both images
    (:mod:`gluestick.estimation.vanishing_points`) refine the pose together with the points. They
    decide neither which points agree nor the verdict.

    LO-RANSAC on five-point samples and a non-linear refinement. Copies of a match, within
    ``max_error`` of it in both images, count once. The camera matrices are in
    the convention of the points: the principal point is measured from the centre of the
    top-left pixel. Points are undistorted first where a camera has distortion.

    Args:
        points0: [S, 2] px in image 0.
        points1: [S, 2] px in image 1, in the same order.
        camera0: The calibration of image 0, without skew: a camera, or K [3, 3].
        camera1: The calibration of image 1.
        lines0: [M, 2, 2] px in image 0. Lines without length take no part.
        lines1: [M, 2, 2] px in image 1, in the same order.
        max_error: The largest Sampson distance of an inlier in px (at the mean focal length);
            inliers also lie in front of both cameras. They are counted before the last
            refinement.
        confidence: The wanted probability of having drawn a sample without outliers.
        max_iterations: At most this many samples are drawn.
        seed: Decides which; equal input and seed give equal output, up to rounding.

    Returns:
        The pose and its inliers, or None if fewer than six matches agree, or if all that do
        lie on a line.

    Raises:
        ValueError: If shapes or counts do not fit, a coordinate is NaN or infinite, only one of
            ``lines0`` and ``lines1`` is given, a K is not that of a camera without skew, or an
            option is out of range.
    """
    owner = "estimate_relative_pose"
    if (lines0 is None) != (lines1 is None):
        raise ValueError(f"{owner} needs both lines0 and lines1, or neither")
    options = poselib_options(
        owner, max_error=max_error, confidence=confidence, max_iterations=max_iterations, seed=seed
    )
    camera0, camera1 = as_camera(camera0), as_camera(camera1)
    cameras = [poselib_camera(owner, camera) for camera in (camera0, camera1)]
    arrays = as_arrays(
        owner, {"points0": points0, "points1": points1}, {"points0": "S 2", "points1": "S 2"}
    )
    arrays = [
        undistort_points(points, camera)
        for points, camera in zip(arrays, (camera0, camera1), strict=True)
    ]
    representatives = point_representatives(*arrays, radius=max_error)
    chosen = distinct(representatives)
    if len(chosen) < _MIN_INLIERS:
        return None
    points = [values[chosen] for values in arrays]
    motion, info = poselib.estimate_relative_pose(*points, *cameras, options, {})
    mask = np.array(info["inliers"], dtype=bool)
    if (
        mask.sum() < _MIN_INLIERS
        or not np.isfinite(motion.Rt).all()
        or min(line_deviation(values[mask]) for values in points) < 1e-6 * max_error
    ):
        return None
    pose = Pose(R=motion.R, t=motion.t / np.linalg.norm(motion.t))
    if lines0 is not None and lines1 is not None:
        own = _lines(owner, lines0, lines1, (camera0, camera1))
        agreeing = points[0][mask], points[1][mask]
        pose = _with_directions(pose, agreeing, own, (camera0, camera1), max_error, seed)
    F = fundamental_from_essential(essential_from_pose(pose), camera0, camera1)
    inliers = spread_to_copies(
        mask, representatives, agreeing=epipolar_distance(F, *arrays) <= max_error
    )
    verdict = judge(
        epipolar_chances(F, *arrays),
        inliers,
        independence_weights(arrays),
        sample_size=5,
        num_solutions=10,
    )
    return RelativePoseEstimate(pose_0to1=pose, point_inliers=inliers, **verdict._asdict())


def _lines(
    owner: str, lines0: ArrayLike, lines1: ArrayLike, cameras: tuple[Camera, Camera]
) -> tuple[np.ndarray, np.ndarray]:
    """Return both [M, 2, 2] lines without distortion, and without those that have no length."""
    arrays = as_arrays(
        owner, {"lines0": lines0, "lines1": lines1}, {"lines0": "M 2 2", "lines1": "M 2 2"}
    )
    arrays = [undistort_points(*each) for each in zip(arrays, cameras, strict=True)]
    usable = np.minimum(line_lengths(arrays[0]), line_lengths(arrays[1])) > 0
    return arrays[0][usable], arrays[1][usable]


def _with_directions(
    pose: Pose,
    points: tuple[np.ndarray, np.ndarray],
    lines: tuple[np.ndarray, np.ndarray],
    cameras: tuple[Camera, Camera],
    max_error: float,
    seed: int,
) -> Pose:
    """Refine a pose on the points that agree and on what vanishing points the lines share."""
    matrices = [np.asarray(camera.K) for camera in cameras]
    normalized = [
        (own - K[:2, 2]) / K[[0, 1], [0, 1]] for own, K in zip(points, matrices, strict=True)
    ]
    focal_length = float(np.mean([K[[0, 1], [0, 1]] for K in matrices]))
    pairs = find_vanishing_pairs(lines[0], lines[1], cameras, seed=seed)
    return refine_with_directions(
        pose, normalized[0], normalized[1], pairs, max_error=max_error / focal_length
    )
