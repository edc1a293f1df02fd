"""The pose of a camera, and its focal length, made to fit points and lines best."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from gluestick.geometry.points import to_homogeneous
from gluestick.geometry.projection import project_points
from gluestick.types import Camera, Pose

_ROUNDS = 4
_REACH = 2.0
"""Matches with a larger error, in units of the largest of an inlier, are not refined on."""

_LOSS_SCALE = 1 / 3
"""From which error on a match counts less (Cauchy's loss), in the same unit."""

_BEHIND = 1e3
"""The residual of what is behind the camera, in the same unit."""


@dataclass(frozen=True, kw_only=True)
class WorldMatches:
    """Points and lines of an image without distortion, and where they are in the world.

    Attributes:
        points2d: [S, 2] px.
        points3d: [S, 3].
        lines2d: [M, 2, 2] px.
        lines3d: [M, 2, 3].
    """

    points2d: np.ndarray
    points3d: np.ndarray
    lines2d: np.ndarray
    lines3d: np.ndarray

    def take(self, points: np.ndarray, lines: np.ndarray) -> "WorldMatches":
        """Return those of some points and lines, told by indices or masks."""
        return WorldMatches(
            points2d=self.points2d[points],
            points3d=self.points3d[points],
            lines2d=self.lines2d[lines],
            lines3d=self.lines3d[lines],
        )


@dataclass(frozen=True, kw_only=True)
class RefinedPose:
    """A pose that fits best.

    Attributes:
        cam_from_world: X_camera = R X_world + t.
        camera: The calibration, with the focal length that was found.
        focal_length_deviation: Its standard deviation as a share of it, by how well the matches
            fit; 0 where it was held.
    """

    cam_from_world: Pose
    camera: Camera
    focal_length_deviation: float


def point_errors(pose: Pose, camera: Camera, image: np.ndarray, world: np.ndarray) -> np.ndarray:
    """Return how far [S] points are from their projections, px; inf behind the camera."""
    positions, depth = project_points(world, pose, camera)
    return np.where(depth > 0, np.linalg.norm(positions - image, axis=1), np.inf)


def line_errors(pose: Pose, camera: Camera, image: np.ndarray, world: np.ndarray) -> np.ndarray:
    """Return the sums [M] of the distances of both endpoints from the projected line, px."""
    return np.abs(_line_distances(pose, camera, image, world)).sum(1)


def refine_absolute_pose(
    pose: Pose,
    camera: Camera,
    matches: WorldMatches,
    *,
    max_error: float,
    refine_focal_length: bool = False,
    expected_focal_length: float | None = None,
    expected_deviation: float = 0.1,
) -> RefinedPose:
    """Refine a pose, and if wanted the focal length, on the matches near it.

    Levenberg and Marquardt's method with Cauchy's loss, on the distances of points and on those
    of both endpoints of a line from its projection; which matches take part is asked anew in
    each of four rounds.

    Args:
        pose: Where it begins.
        camera: The calibration, without distortion.
        matches: The matches.
        max_error: The largest error of an inlier, px; matches up to twice as far take part.
        refine_focal_length: Whether one factor of both focal lengths is refined as well.
        expected_focal_length: Where it is thought to be, px, or None.
        expected_deviation: The standard deviation of that, as a share of it.

    Returns:
        The pose; that it began with where too few matches are near it.
    """
    from scipy.optimize import least_squares

    size = 7 if refine_focal_length else 6
    best = RefinedPose(cam_from_world=pose, camera=camera, focal_length_deviation=0.0)
    for _ in range(_ROUNDS):
        near = _near(best, matches, _REACH * max_error)
        if 2 * len(near.points2d) + 2 * len(near.lines2d) < size:
            return best
        problem = _Problem(best, near, max_error, expected_focal_length, expected_deviation)
        start = np.zeros(size)
        solved = least_squares(problem.residuals, start, x_scale=problem.scales(size))
        best = problem.at(solved.x)
        if refine_focal_length:
            deviation = _deviation(solved.jac, solved.fun)
            best = replace(best, focal_length_deviation=deviation)
    return best


class _Problem:
    """What is minimized, over small changes of a pose."""

    def __init__(
        self,
        start: RefinedPose,
        matches: WorldMatches,
        max_error: float,
        expected: float | None,
        deviation: float,
    ) -> None:
        self._start, self._matches = start, matches
        self._scale = _LOSS_SCALE * max_error
        self._expected, self._deviation = expected, deviation
        world = np.concatenate([matches.points3d, matches.lines3d.reshape(-1, 3)])
        depth = (world @ start.cam_from_world.R.T + start.cam_from_world.t)[:, 2]
        self._depth = float(np.median(np.abs(depth)))

    def scales(self, size: int) -> np.ndarray:
        """Return which changes [size] of the unknowns move projections alike."""
        return np.array([1.0, 1.0, 1.0, self._depth, self._depth, self._depth, 1.0])[:size]

    def at(self, change: np.ndarray) -> RefinedPose:
        """Return the pose and the camera after a change [6 or 7]."""
        turn = cv2.Rodrigues(change[:3])[0]
        pose = self._start.cam_from_world
        # The turn is about the middle of the camera's frame, so that t turns along.
        moved = Pose(R=turn @ pose.R, t=turn @ pose.t + change[3:6])
        camera = self._start.camera
        if len(change) > 6:
            K = np.array(camera.K, dtype=np.float64)
            K[[0, 1], [0, 1]] *= np.exp(change[6])
            camera = Camera(K=K)
        return RefinedPose(cam_from_world=moved, camera=camera, focal_length_deviation=0.0)

    def residuals(self, change: np.ndarray) -> np.ndarray:
        """Return the residuals, whose squares add up to Cauchy's loss."""
        found, own = self.at(change), self._matches
        pose, camera = found.cam_from_world, found.camera
        positions, depth = project_points(own.points3d, pose, camera)
        points = np.where((depth > 0)[:, None], positions - own.points2d, _BEHIND * self._scale)
        lines = _line_distances(pose, camera, own.lines2d, own.lines3d)
        residuals = np.concatenate([points, lines]) / self._scale  # [S + M, 2]
        squared = (residuals**2).sum(1, keepdims=True)
        weights = np.sqrt(np.log1p(squared) / np.maximum(squared, 1e-12))
        weighted = np.where(squared < 1e-12, residuals, weights * residuals).ravel()
        if len(change) < 7 or self._expected is None:
            return weighted
        expected = np.log(camera.K[0, 0] / self._expected) / self._deviation
        return np.append(weighted, expected)


def _near(pose: RefinedPose, matches: WorldMatches, reach: float) -> WorldMatches:
    frame = pose.cam_from_world, pose.camera
    points = point_errors(*frame, matches.points2d, matches.points3d) <= reach
    lines = line_errors(*frame, matches.lines2d, matches.lines3d) <= reach
    return matches.take(points, lines)


def _deviation(jacobian: np.ndarray, residuals: np.ndarray) -> float:
    """Return the standard deviation of the last unknown, inf where nothing determines it."""
    freedom = max(len(residuals) - jacobian.shape[1], 1)
    variance = (residuals**2).sum() / freedom
    try:
        covariance = np.linalg.inv(jacobian.T @ jacobian) * variance
    except np.linalg.LinAlgError:
        return float("inf")
    last = float(covariance[-1, -1])
    return float(np.sqrt(last)) if last >= 0 else float("inf")


def _line_distances(pose: Pose, camera: Camera, image: np.ndarray, world: np.ndarray) -> np.ndarray:
    """Return the signed distances [M, 2] of both endpoints from the projected line, px."""
    projected = (world @ pose.R.T + pose.t) @ np.asarray(camera.K).T  # [M, 2, 3]
    lines = np.cross(projected[:, 0], projected[:, 1])
    slope = np.maximum(np.hypot(lines[:, 0], lines[:, 1]), 1e-300)
    distances: np.ndarray = (to_homogeneous(image) * lines[:, None]).sum(2) / slope[:, None]
    return distances
