"""The rotation between two photographs taken from one place, from matched points and lines."""

from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np

from gluestick.estimation.chance.backgrounds import homography_chances
from gluestick.estimation.chance.copies import distinct, line_representatives, point_representatives
from gluestick.estimation.chance.false_alarms import independence_weights, judge
from gluestick.estimation.inputs import ArrayLike, as_arrays, check_options, poselib_camera
from gluestick.estimation.planar.correspondences import Correspondences, cross, symmetric_errors
from gluestick.geometry.distortion import undistort_points
from gluestick.geometry.lines import line_lengths
from gluestick.geometry.points import to_homogeneous
from gluestick.types import Camera
from gluestick.types.cameras import CameraLike, as_camera

_CHUNK = 256
"""Samples that are drawn and solved at a time."""

_MIN_INLIERS = 3
"""Two points or lines always agree with a rotation, up to the angle between them."""

_MIN_ANGLE = np.radians(1.0)
"""Directions nearer to each other than this, or to opposite ones, make no sample."""

_SIGNS = 2
"""A line has a normal and the opposite one."""

_SAFETY = 3.0
"""Samples drawn per sample needed if inliers had no noise."""

_REFINEMENTS = 3


@dataclass(frozen=True, kw_only=True)
class RotationEstimate:
    """The rotation between two images and the matches that agree with it.

    Attributes:
        R_0to1: [3, 3], X1 = R X0 in the frames of the cameras.
        H_0to1: [3, 3] of unit norm, the homography K1 R K0^-1 that it is in px without
            distortion.
        point_inliers: [S] bool.
        line_inliers: [M] bool.
        log10_false_alarms: The logarithm of the expected number of rotations that as many random
            matches agree with as well; see :mod:`gluestick.estimation.chance.false_alarms`.
        trusted: Whether that is too small for chance.
    """

    R_0to1: np.ndarray
    H_0to1: np.ndarray
    point_inliers: np.ndarray
    line_inliers: np.ndarray
    log10_false_alarms: float
    trusted: bool


def estimate_rotation(
    points0: ArrayLike,
    points1: ArrayLike,
    lines0: ArrayLike | None = None,
    lines1: ArrayLike | None = None,
    *,
    camera0: CameraLike,
    camera1: CameraLike,
    max_error: float = 3.0,
    confidence: float = 0.9999,
    max_iterations: int = 10_000,
    seed: int = 0,
) -> RotationEstimate | None:
    """Estimate how a camera turned in one place, as between the photographs of a panorama.

    LO-RANSAC (Chum, Matas and Kittler, DAGM 2003) with the score of MSAC, on samples of two
    points, a point and a line, or two lines, each kind as often as the others (Pautrat et al.,
    "GlueStick: Robust Image Matching by Sticking Points and Lines Together", ICCV 2023). A
    point is a direction, and a line the normal of the plane through it and the camera.
    The winner is refined on all inliers. Errors and inliers are those of
    :func:`~gluestick.estimation.estimate_homography` for the homography K1 R K0^-1.

    Args:
        points0: [S, 2] px in image 0.
        points1: [S, 2] px in image 1, in the same order.
        lines0: [M, 2, 2] px in image 0.
        lines1: [M, 2, 2] px in image 1; endpoints need not correspond.
        camera0: The calibration of image 0, without skew: a camera, or K [3, 3].
        camera1: The calibration of image 1. Distortion is removed first.
        max_error: The largest error of an inlier, px.
        confidence: The wanted probability of having drawn a sample without outliers.
        max_iterations: At most about this many samples are drawn.
        seed: Decides which.

    Returns:
        The rotation and its inliers, or None if fewer than three matches agree.

    Raises:
        ValueError: If shapes or counts do not fit, a coordinate is NaN or infinite, only one of
            ``lines0`` and ``lines1`` is given, a K is not that of a camera without skew, or an
            option is out of range.
    """
    owner = "estimate_rotation"
    check_options(
        owner, max_error=max_error, confidence=confidence, max_iterations=max_iterations, seed=seed
    )
    cameras = as_camera(camera0), as_camera(camera1)
    for camera in cameras:
        poselib_camera(owner, camera)
    if (lines0 is None) != (lines1 is None):
        raise ValueError(f"{owner} needs both lines0 and lines1, or neither")
    no_lines = np.zeros((0, 2, 2))
    arrays = as_arrays(
        owner,
        {
            "points0": points0,
            "points1": points1,
            "lines0": no_lines if lines0 is None else lines0,
            "lines1": no_lines if lines1 is None else lines1,
        },
        {"points0": "S 2", "points1": "S 2", "lines0": "M 2 2", "lines1": "M 2 2"},
    )
    arrays = [
        undistort_points(array, camera) for array, camera in zip(arrays, cameras * 2, strict=True)
    ]
    usable = np.minimum(line_lengths(arrays[2]), line_lengths(arrays[3])) > 1e-6 * max_error
    data = Correspondences.from_arrays(*arrays[:2], *(lines[usable] for lines in arrays[2:]))
    single = data.select(
        distinct(point_representatives(data.points0, data.points1, radius=max_error)),
        distinct(line_representatives(data.lines0, data.lines1, radius=max_error)),
    )
    search = _Search(single, cameras, max_error)
    R = search.run(confidence, max_iterations, np.random.default_rng(seed))
    if R is None or (search.errors(R) <= max_error**2).sum() < _MIN_INLIERS:
        return None
    H = search.homographies(R[None])[0]
    inliers = symmetric_errors(H[None], data)[0] <= max_error**2
    line_inliers = np.zeros(len(usable), dtype=bool)
    line_inliers[usable] = inliers[data.num_points :]
    verdict = judge(
        homography_chances(H, data),
        inliers,
        independence_weights([data.positions0, data.positions1]),
        sample_size=2,
        num_solutions=_SIGNS**2,
    )
    return RotationEstimate(
        R_0to1=R,
        H_0to1=H / np.linalg.norm(H),
        point_inliers=inliers[: data.num_points],
        line_inliers=line_inliers,
        **verdict._asdict(),
    )


class _Search:
    """Samples, scores and refines rotations.

    Directions are those of points and the normals of lines, one after the other.
    """

    def __init__(
        self, data: Correspondences, cameras: tuple[Camera, Camera], max_error: float
    ) -> None:
        self._data, self._threshold = data, max_error**2
        self._K0, self._K1 = (np.asarray(camera.K, dtype=np.float64) for camera in cameras)
        self._directions = [
            np.concatenate([_rays(points, K), _normals(lines, K)])
            for points, lines, K in (
                (data.points0, data.lines0, self._K0),
                (data.points1, data.lines1, self._K1),
            )
        ]

    def homographies(self, R: np.ndarray) -> np.ndarray:
        """Return the homographies [K, 3, 3] in px of rotations [K, 3, 3]."""
        H: np.ndarray = self._K1 @ R @ np.linalg.inv(self._K0)
        return H

    def errors(self, R: np.ndarray) -> np.ndarray:
        """Return the squared errors [N] of a rotation."""
        return symmetric_errors(self.homographies(R[None]), self._data)[0]

    def run(
        self, confidence: float, max_iterations: int, rng: np.random.Generator
    ) -> np.ndarray | None:
        """Return the rotation that most matches agree with, or None."""
        kinds = [
            kind
            for kind in ((2, 0), (1, 1), (0, 2))
            if kind[0] <= self._data.num_points and kind[1] <= self._data.num_lines
        ]
        best, least = None, np.inf
        drawn, needed = 0, float(max_iterations) if kinds else 0.0
        while drawn < min(needed, max_iterations):
            R = np.concatenate([self._solve(kind, _CHUNK // len(kinds), rng) for kind in kinds])
            drawn += _CHUNK
            if len(R) == 0:
                continue
            costs = self._costs(R)
            if costs.min() >= least:
                continue
            refined = self._refine(R[costs.argmin()])
            chosen = min((refined, R[costs.argmin()]), key=lambda each: self._costs(each[None])[0])
            best, least = chosen, self._costs(chosen[None])[0]
            success = self._success(best, kinds)
            needed = _SAFETY * np.log1p(-confidence) / np.log1p(-np.clip(success, 1e-12, 1 - 1e-9))
        return best

    def _solve(self, kind: tuple[int, int], number: int, rng: np.random.Generator) -> np.ndarray:
        """Return the rotations [K, 3, 3] of samples of some points and lines."""
        num_points = self._data.num_points
        ranges = [(0, num_points)] * kind[0]
        ranges += [(num_points, num_points + self._data.num_lines)] * kind[1]
        chosen = [rng.integers(*limits, number) for limits in ranges]
        first, second = ([each[index] for each in self._directions] for index in chosen)
        signs = [(1,)] * kind[0] + [(1, -1)] * kind[1]
        return np.concatenate(
            [
                _aligned(first[0], second[0], sign0 * first[1], sign1 * second[1])
                for sign0, sign1 in product(*signs)
            ]
        )

    def _costs(self, R: np.ndarray) -> np.ndarray:
        errors = symmetric_errors(self.homographies(R), self._data)
        return np.minimum(errors, self._threshold).sum(axis=1)

    def _success(self, R: np.ndarray, kinds: list[tuple[int, int]]) -> float:
        """Return the probability that a sample of a random kind has inliers only."""
        inliers = self.errors(R) <= self._threshold
        parts = np.split(inliers, [self._data.num_points])
        points, lines = (part.mean() if len(part) else 0.0 for part in parts)
        return float(np.mean([points**own * lines**other for own, other in kinds]))

    def _refine(self, R: np.ndarray) -> np.ndarray:
        """Return the rotation with the least Cauchy loss on the inliers around one."""
        from scipy.optimize import least_squares

        for _ in range(_REFINEMENTS):
            inliers = self.errors(R) <= self._threshold
            if inliers.sum() < 2:
                break
            points, lines = np.split(inliers, [self._data.num_points])
            own, start = self._data.select(points, lines), R

            def residuals(
                turn: np.ndarray, own: Correspondences = own, start: np.ndarray = start
            ) -> np.ndarray:
                H = self.homographies((cv2.Rodrigues(turn)[0] @ start)[None])
                squared = np.minimum(symmetric_errors(H, own)[0], 1e6 * self._threshold)
                return np.sqrt(np.log1p(9 * squared / self._threshold))

            solved = least_squares(residuals, np.zeros(3), x_scale=1e-3, diff_step=1e-7)
            R = cv2.Rodrigues(solved.x)[0] @ start
        return R


def _rays(points: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Return the directions [S, 3] of points [S, 2] px."""
    rays = to_homogeneous(points) @ np.linalg.inv(K).T
    return rays / np.linalg.norm(rays, axis=1, keepdims=True)


def _normals(lines: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Return the normals [M, 3] of the planes through the camera and lines [M, 2, 2] px."""
    rays = _rays(lines.reshape(-1, 2), K).reshape(-1, 2, 3)
    normals = cross(rays[:, 0], rays[:, 1])
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-300)


def _aligned(
    first0: np.ndarray, second0: np.ndarray, first1: np.ndarray, second1: np.ndarray
) -> np.ndarray:
    """Return the rotations [K, 3, 3] that bring pairs of directions [N, 3] to others.

    The sum and the difference of two unit vectors are perpendicular, and so give a frame in
    which both count alike.
    """
    frames, usable = [], np.ones(len(first0), dtype=bool)
    for first, second in ((first0, second0), (first1, second1)):
        sums, differences = first + second, first - second
        lengths = [np.linalg.norm(each, axis=1) for each in (sums, differences)]
        usable &= np.minimum(*lengths) > _MIN_ANGLE
        with np.errstate(divide="ignore", invalid="ignore"):
            x, y = sums / lengths[0][:, None], differences / lengths[1][:, None]
        frames.append(np.stack([x, y, cross(x, y)], axis=-1))  # [N, 3, axis]
    rotations: np.ndarray = frames[1][usable] @ frames[0][usable].swapaxes(1, 2)
    return rotations
