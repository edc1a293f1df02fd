"""Directions of parallel lines in two images, and what they add to a relative pose.

Lines that are parallel in space meet in a vanishing point, whose direction turns with the camera
and does not move with it. Matched lines tell which vanishing points of two images are the same
(Hruby et al., "Handbook on Leveraging Lines for Two-View Relative Pose Estimation", 3DV 2024).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from gluestick.estimation.planar.correspondences import cross
from gluestick.geometry.epipolar import epipolar_distance, essential_from_pose
from gluestick.geometry.points import to_homogeneous
from gluestick.types import Camera, Pose

_SAMPLES = 1500
_MOST = 4
_FEWEST_LINES = 5
_MAX_SINE = np.sin(np.radians(1.5))
"""By which angle a segment may miss its vanishing point."""

_MIN_SINE = 0.01
"""Lines nearer to being one make no sample."""

_NOISE = 0.7
"""Standard deviation of an endpoint, px."""

_NEAR = np.radians(5.0)
"""Directions that a pose brings no nearer than this to each other are left alone."""

_LOSS_SCALE = 3.0
"""From how many standard deviations on a direction counts less (Cauchy's loss)."""

_POINT_NOISE = 1 / 3
"""The standard deviation of a point, in units of the largest error."""


@dataclass(frozen=True, kw_only=True)
class VanishingPair:
    """A vanishing point seen in both images.

    Attributes:
        direction0: [3] of unit length, in the frame of camera 0.
        direction1: [3] in the frame of camera 1; its sign has no meaning.
        lines: [N] int64, the matched lines that meet there in both images.
        deviation: The standard deviation of the angle between both, radians, where it is
            largest.
    """

    direction0: np.ndarray
    direction1: np.ndarray
    lines: np.ndarray
    deviation: float


def find_vanishing_pairs(
    lines0: np.ndarray, lines1: np.ndarray, cameras: tuple[Camera, Camera], *, seed: int = 0
) -> list[VanishingPair]:
    """Find vanishing points that matched lines share in both images, one after the other.

    Two matched lines give a hypothesis in both images at once; a line agrees if it points to it
    within 1.5 degrees in both (MSAC), and at least five have to.

    Args:
        lines0: [M, 2, 2] px in image 0, of positive length, without distortion.
        lines1: [M, 2, 2] px in image 1.
        cameras: The calibrations.
        seed: Decides which pairs of lines are tried.

    Returns:
        Up to four, those with the most lines first.
    """
    rng = np.random.default_rng(seed)
    segments = [_Segments(*each) for each in zip((lines0, lines1), cameras, strict=True)]
    left = np.ones(len(lines0), dtype=bool)
    found: list[VanishingPair] = []
    while len(found) < _MOST:
        inliers = _consensus(segments, np.flatnonzero(left), rng)
        for _ in range(2):
            if len(inliers) < _FEWEST_LINES:
                return found
            fits = [each.meet(inliers) for each in segments]
            sines = [each.sines(fit[0][None])[0] for each, fit in zip(segments, fits, strict=True)]
            inliers = np.flatnonzero(left & (np.maximum(*sines) < _MAX_SINE))
        if len(inliers) < _FEWEST_LINES:
            return found
        left[inliers] = False
        found.append(
            VanishingPair(
                direction0=fits[0][0],
                direction1=fits[1][0],
                lines=inliers,
                deviation=float(np.hypot(fits[0][1], fits[1][1])),
            )
        )
    return found


def refine_with_directions(
    pose: Pose,
    points0: np.ndarray,
    points1: np.ndarray,
    pairs: Sequence[VanishingPair],
    *,
    max_error: float,
) -> Pose:
    """Refine a relative pose on points and vanishing points together.

    Sampson distances of points and angles between directions, each over its standard deviation,
    with Cauchy's loss. Vanishing points that the pose does not bring within 5 degrees of each
    other are left alone.

    Args:
        pose: Where it begins, with t of unit length.
        points0: [S, 2], the points that agree, divided by K.
        points1: [S, 2].
        pairs: The vanishing points.
        max_error: The largest error of a point, over the focal length.

    Returns:
        The pose, with t of unit length; the one it began with without vanishing points.
    """
    from scipy.optimize import least_squares

    near = []
    for pair in pairs:
        turned = pose.R @ pair.direction0
        sign = 1.0 if turned @ pair.direction1 >= 0 else -1.0
        if np.arccos(min(1.0, sign * float(turned @ pair.direction1))) < _NEAR:
            near.append((pair.direction0, sign * pair.direction1, pair.deviation))
    if not near:
        return pose
    directions0, directions1 = (np.stack([each[i] for each in near]) for i in range(2))
    deviations = np.array([each[2] for each in near])[:, None]
    noise = _POINT_NOISE * max_error
    sideways = np.linalg.svd(pose.t[None])[2][1:]  # [2, 3]

    def moved(change: np.ndarray) -> Pose:
        t = pose.t + change[3:] @ sideways
        return Pose(R=cv2.Rodrigues(change[:3])[0] @ pose.R, t=t / np.linalg.norm(t))

    def residuals(change: np.ndarray) -> np.ndarray:
        at = moved(change)
        distances = epipolar_distance(essential_from_pose(at), points0, points1)
        points = np.nan_to_num(distances) / noise  # points at both epipoles say nothing
        angles = cross(directions0 @ at.R.T, directions1) / deviations / _LOSS_SCALE  # [V, 3]
        squared = np.maximum((angles**2).sum(axis=1, keepdims=True), 1e-12)
        angles = _LOSS_SCALE * angles * np.sqrt(np.log1p(squared) / squared)
        return np.concatenate([np.sqrt(np.log1p(points**2)), angles.ravel()])

    return moved(least_squares(residuals, np.zeros(5), x_scale=1e-2).x)


class _Segments:
    """The segments of an image as directions."""

    def __init__(self, lines: np.ndarray, camera: Camera) -> None:
        K = np.asarray(camera.K, dtype=np.float64)
        rays = to_homogeneous(lines.reshape(-1, 2)) @ np.linalg.inv(K).T
        rays = rays.reshape(-1, 2, 3)
        self.normals = cross(rays[:, 0], rays[:, 1])
        self.normals /= np.maximum(np.linalg.norm(self.normals, axis=1, keepdims=True), 1e-300)
        self._middles = rays.mean(axis=1)
        along = rays[:, 1, :2] - rays[:, 0, :2]
        self._lengths = np.maximum(np.linalg.norm(along, axis=1), 1e-300)
        self._along = along / self._lengths[:, None]
        self._noise = 2 * _NOISE / float(K[0, 0] + K[1, 1])

    def sines(self, directions: np.ndarray) -> np.ndarray:
        """Return the sines [K, M] of the angles by which segments miss vanishing points [K, 3]."""
        towards = cross(self._middles[None], directions[:, None])[..., :2]  # [K, M, 2]
        length = np.maximum(np.linalg.norm(towards, axis=-1), 1e-12)
        sines: np.ndarray = np.abs((towards * self._along).sum(axis=-1)) / length
        return sines

    def meet(self, chosen: np.ndarray) -> tuple[np.ndarray, float]:
        """Return where some segments meet [3], and the standard deviation in radians.

        A segment's direction is the less exact the shorter it is. The noise is that by which
        they miss the point, if that is more than is expected.
        """
        weighted = self.normals[chosen] * self._lengths[chosen][:, None]
        _, spread, axes = np.linalg.svd(weighted)
        noise = max(self._noise, float(spread[2]) / np.sqrt(len(chosen) - 2))
        return axes[2], noise / max(float(spread[1]), 1e-6)


def _consensus(
    segments: Sequence[_Segments], chosen: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return the lines among some that meet in one point in both images, if there is any."""
    nothing = np.zeros(0, dtype=np.int64)
    if len(chosen) < _FEWEST_LINES:
        return nothing
    first, second = rng.choice(chosen, (2, _SAMPLES))
    directions = [cross(each.normals[first], each.normals[second]) for each in segments]
    sines = [np.linalg.norm(each, axis=1) for each in directions]
    usable = np.minimum(*sines) > _MIN_SINE
    if not usable.any():
        return nothing
    missed = [
        each.sines(direction[usable])[:, chosen]
        for each, direction in zip(segments, directions, strict=True)
    ]
    errors = np.maximum(*missed)
    best = np.minimum(errors, _MAX_SINE).sum(axis=1).argmin()
    return chosen[errors[best] < _MAX_SINE]
