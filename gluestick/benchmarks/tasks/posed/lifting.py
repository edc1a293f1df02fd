"""From features of a reference image to points and lines in space."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from gluestick.benchmarks.tasks.posed.depth_pairs import batch_of_one
from gluestick.datasets.posed.localization import Observations
from gluestick.geometry.distortion import undistort_points
from gluestick.geometry.line_frames import LineFrames
from gluestick.geometry.lines import line_lengths, points_on_lines
from gluestick.geometry.points import to_homogeneous
from gluestick.supervision.reprojection import sample_depth
from gluestick.types import Camera, Pose

_NUM_SAMPLES = 16
_MIN_KNOWN = 8
"""Of how many samples of a line the depth has to be known."""
_DEPTH_NOISE = 0.02
"""How far from a line in space samples may lie, as a share of their depth."""
_MIN_OVERLAP = 0.5


@dataclass(frozen=True, kw_only=True)
class Lifted:
    """Features in space.

    Attributes:
        positions: [S, 3] points or [S, 2, 3] lines; meaningless where not known.
        known: [S] bool.
    """

    positions: np.ndarray
    known: np.ndarray


def lift_points_by_depth(
    points: np.ndarray, depth: np.ndarray, camera: Camera, cam_from_world: Pose
) -> Lifted:
    """Carry points of an image into space.

    Args:
        points: [S, 2] px.
        depth: [H, W], 0 where unknown.
        camera: The calibration.
        cam_from_world: X_camera = R X_world + t.

    Returns:
        The points in the world; not known where their depth is not.
    """
    z = sample_depth(batch_of_one(depth).double(), batch_of_one(points).double())[0].numpy()
    undistorted = undistort_points(points.astype(np.float64), camera)
    rays = to_homogeneous(undistorted) @ np.linalg.inv(camera.K).T
    in_camera = rays * z[:, None]
    return Lifted(
        positions=(in_camera - cam_from_world.t) @ cam_from_world.R,
        known=np.isfinite(z),
    )


def lift_lines_by_depth(
    lines: np.ndarray, depth: np.ndarray, camera: Camera, cam_from_world: Pose
) -> Lifted:
    """Carry line segments of an image into space.

    Samples of a segment are carried into space, and the line through two of them that most
    others lie near, at least half of all, is taken. So a segment at the edge of an object gets
    the depth of one of its sides.

    Args:
        lines: [S, 2, 2] px.
        depth: [H, W], 0 where unknown.
        camera: The calibration.
        cam_from_world: X_camera = R X_world + t.

    Returns:
        The parts of the lines that are supported, in the world.
    """
    samples = points_on_lines(lines.astype(np.float64), np.linspace(0, 1, _NUM_SAMPLES))
    lifted = lift_points_by_depth(samples.reshape(-1, 2), depth, camera, cam_from_world)
    points = lifted.positions.reshape(-1, _NUM_SAMPLES, 3)  # [S, N, 3]
    seen = lifted.known.reshape(-1, _NUM_SAMPLES)
    far = np.linalg.norm(points - _centre(cam_from_world), axis=-1)
    positions, known = np.zeros((len(lines), 2, 3)), np.zeros(len(lines), dtype=bool)
    for index in np.flatnonzero(seen.sum(1) >= _MIN_KNOWN):
        own = points[index][seen[index]]
        fitted = _fit_line(own, tolerance=_DEPTH_NOISE * far[index][seen[index]])
        if fitted is not None:
            positions[index], known[index] = fitted, True
    return Lifted(positions=positions, known=known)


def lift_points_by_observations(
    points: np.ndarray, observations: Observations, *, max_distance: float
) -> Lifted:
    """Give points of an image the known point that is observed nearest to them.

    Args:
        points: [S, 2] px.
        observations: What the image observes.
        max_distance: px, farther ones are not known.

    Returns:
        The points in the world.
    """
    if len(observations.keypoints) == 0 or len(points) == 0:
        return Lifted(positions=np.zeros((len(points), 3)), known=np.zeros(len(points), dtype=bool))
    distances, nearest = cKDTree(observations.keypoints).query(points)
    return Lifted(positions=observations.points3d[nearest], known=distances <= max_distance)


def lift_lines_by_observations(
    lines: np.ndarray, observations: Observations, *, max_distance: float
) -> Lifted:
    """Give line segments of an image the known line that is observed nearest to them.

    Args:
        lines: [S, 2, 2] px.
        observations: What the image observes.
        max_distance: px, how far the ends of the observed segment may be from the line. Both
            also have to overlap by half of the shorter.

    Returns:
        The lines in the world.
    """
    segments = observations.segments
    known = np.zeros(len(lines), dtype=bool)
    positions = np.zeros((len(lines), 2, 3))
    usable = np.flatnonzero(line_lengths(lines) > 0)
    if len(segments) == 0 or len(usable) == 0:
        return Lifted(positions=positions, known=known)
    own = lines[usable].astype(np.float64)
    frames = LineFrames.of(own)
    along, across = (
        values.reshape(len(own), -1, 2)
        for values in frames.coordinates(*segments.reshape(-1, 2).T)  # [U, 2J]
    )
    length, distance = frames.length[:, None], abs(across).max(-1)  # [U, 1], [U, J]
    overlap = np.minimum(along.max(-1), length) - np.maximum(along.min(-1), 0)
    enough = overlap >= _MIN_OVERLAP * np.minimum(length, along.max(-1) - along.min(-1))
    distance = np.where(enough & (overlap > 0), distance, np.inf)
    nearest = distance.argmin(1)
    known[usable] = distance.min(1) <= max_distance
    positions[usable] = observations.lines3d[nearest]
    return Lifted(positions=positions, known=known)


def _fit_line(points: np.ndarray, *, tolerance: np.ndarray) -> np.ndarray | None:
    """Return the ends [2, 3] of the line that most of the points [N, 3] lie near."""
    first, second = np.triu_indices(len(points), k=1)
    direction = points[second] - points[first]  # [P, 3]
    length = np.linalg.norm(direction, axis=1, keepdims=True)
    direction = np.divide(direction, length, out=np.zeros_like(direction), where=length > 0)
    offset = points[None] - points[first][:, None]  # [P, N, 3]
    along = (offset * direction[:, None]).sum(-1)
    distance = np.linalg.norm(offset - along[..., None] * direction[:, None], axis=-1)
    near = distance <= tolerance
    near[length[:, 0] == 0] = False
    best = near.sum(1).argmax()
    inliers = points[near[best]]
    if len(inliers) < _NUM_SAMPLES // 2:
        return None
    centre = inliers.mean(axis=0)
    axis = np.linalg.svd(inliers - centre)[2][0]
    reach = (inliers - centre) @ axis
    return centre + np.outer([reach.min(), reach.max()], axis)


def _centre(cam_from_world: Pose) -> np.ndarray:
    return -cam_from_world.R.T @ cam_from_world.t
