"""The pose and the focal length of a camera from points and lines in the world."""

from dataclasses import dataclass

import numpy as np

from gluestick.estimation.absolute_pose import (
    AbsolutePoseEstimate,
    estimate_absolute_pose,
    pose_verdict,
    world_matches,
)
from gluestick.estimation.absolute_refinement import (
    RefinedPose,
    WorldMatches,
    line_errors,
    point_errors,
    refine_absolute_pose,
)
from gluestick.estimation.chance.false_alarms import Verdict, with_more_models
from gluestick.estimation.inputs import ArrayLike
from gluestick.types import Camera

_SHORTEST, _LONGEST, _STEP = 0.35, 5.0, 1.25
"""The focal lengths that are tried, in units of the longer side: 110 to 11 degrees."""

_AROUND = (0.8, 1.0, 1.25)
"""The same in units of the one that is expected."""

_EXPECTED_DEVIATION = 0.1
"""How far off EXIF is, as a share."""

_TRIED_REACH = 2.0
"""How much further from their place matches may be at the focal lengths that are tried."""

_REFINED = 3
"""So many of the best are refined."""

_MIN_INLIERS = 5
"""Four points determine the pose and the focal length."""

MOST_UNCERTAIN = 0.1
"""A focal length of a larger relative deviation is not trusted: camera and scene may be anywhere
along the line of sight."""

_FAST_ITERATIONS = 2000


@dataclass(frozen=True, kw_only=True)
class UncalibratedPoseEstimate(AbsolutePoseEstimate):
    """The pose and the focal length of a camera, and the matches that agree.

    Attributes:
        camera: The calibration that was found.
        focal_length_deviation: The standard deviation of its focal length, as a share of it.
    """

    camera: Camera
    focal_length_deviation: float


def estimate_uncalibrated_pose(
    points2d: ArrayLike,
    points3d: ArrayLike,
    image_size: tuple[int, int],
    lines2d: ArrayLike | None = None,
    lines3d: ArrayLike | None = None,
    *,
    expected_focal_length: float | None = None,
    max_error: float = 3.0,
    seed: int = 0,
) -> UncalibratedPoseEstimate | None:
    """Estimate the pose of a camera whose focal length is unknown, from points and lines.

    :func:`~gluestick.estimation.estimate_absolute_pose` is asked at a dozen focal lengths, 25%
    apart, and the three poses with the fewest false alarms are refined together with their focal
    lengths. Pixels are taken as square, the principal point as the middle of the image, and the
    lens as free of distortion.

    Args:
        points2d: [S, 2] px.
        points3d: [S, 3], in the same order, in any unit of length.
        image_size: (width, height) px.
        lines2d: [M, 2, 2] px, two points on each line.
        lines3d: [M, 2, 3], two points on each line.
        expected_focal_length: Where the focal length is thought to be to about 10%, px, as from
            EXIF, or None.
        max_error: The largest reprojection error of an inlier, as for calibrated cameras.
        seed: Decides which samples are drawn.

    Returns:
        The pose, the camera and the inliers, or None if fewer than five matches agree. It is not
        trusted where the matches leave the focal length open by more than 10%, as those of a
        plane seen from the front do.

    Raises:
        ValueError: As :func:`~gluestick.estimation.estimate_absolute_pose`, or if a size or the
            focal length is not positive.
    """
    owner = "estimate_uncalibrated_pose"
    if min(image_size) <= 0 or (expected_focal_length is not None and expected_focal_length <= 0):
        raise ValueError(
            f"{owner} needs a positive image size and focal length, found {tuple(image_size)} "
            f"and {expected_focal_length}"
        )
    matches = world_matches(owner, points2d, points3d, lines2d, lines3d)
    lengths = _lengths(image_size, expected_focal_length)
    tried = []
    for length in lengths:
        found = estimate_absolute_pose(
            matches.points2d,
            matches.points3d,
            _camera(image_size, length),
            matches.lines2d,
            matches.lines3d,
            max_error=_TRIED_REACH * max_error,
            max_iterations=_FAST_ITERATIONS,
            seed=seed,
        )
        if found is not None:
            tried.append((found.log10_false_alarms, length, found.cam_from_world))
    tried.sort(key=lambda each: each[0])
    estimates = []
    for _, length, pose in tried[:_REFINED]:
        refined = refine_absolute_pose(
            pose,
            _camera(image_size, length),
            matches,
            max_error=max_error,
            refine_focal_length=True,
            expected_focal_length=expected_focal_length,
            expected_deviation=_EXPECTED_DEVIATION,
        )
        estimates.append(_judged(refined, matches, max_error, len(lengths)))
    usable = [each for each in estimates if each is not None]
    return min(usable, key=lambda each: each.log10_false_alarms, default=None)


def _lengths(image_size: tuple[int, int], expected: float | None) -> list[float]:
    if expected is not None:
        return [expected * factor for factor in _AROUND]
    count = int(np.ceil(np.log(_LONGEST / _SHORTEST) / np.log(_STEP))) + 1
    return (max(image_size) * np.geomspace(_SHORTEST, _LONGEST, count)).tolist()


def _camera(image_size: tuple[int, int], focal_length: float) -> Camera:
    width, height = image_size
    K = [[focal_length, 0, (width - 1) / 2], [0, focal_length, (height - 1) / 2], [0, 0, 1]]
    return Camera(K=np.array(K, dtype=np.float64))


def _judged(
    refined: RefinedPose, matches: WorldMatches, max_error: float, num_tried: int
) -> UncalibratedPoseEstimate | None:
    frame = refined.cam_from_world, refined.camera
    errors = (
        point_errors(*frame, matches.points2d, matches.points3d),
        line_errors(*frame, matches.lines2d, matches.lines3d),
    )
    points, lines = (own <= max_error for own in errors)
    if points.sum() + lines.sum() < _MIN_INLIERS:
        return None
    verdict: Verdict = pose_verdict(
        matches.points2d,
        matches.lines2d,
        errors=errors,
        agreeing=np.concatenate([points, lines]),
        sample_size=4,
    )
    alarms, trusted = with_more_models(verdict.log10_false_alarms, num_tried)
    deviation = refined.focal_length_deviation
    return UncalibratedPoseEstimate(
        cam_from_world=refined.cam_from_world,
        point_inliers=points,
        line_inliers=lines,
        log10_false_alarms=alarms,
        trusted=trusted and deviation <= MOST_UNCERTAIN,
        camera=refined.camera,
        focal_length_deviation=deviation,
    )
