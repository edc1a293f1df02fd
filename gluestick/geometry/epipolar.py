"""Epipolar geometry of two views."""

import numpy as np

from gluestick.geometry.points import Array, to_homogeneous
from gluestick.types import Camera, Pose


def essential_from_pose(pose_0to1: Pose) -> np.ndarray:
    """Return the essential matrix E = [t]x R of a motion X1 = R X0 + t.

    Args:
        pose_0to1: From the frame of camera 0 to that of camera 1.

    Returns:
        [3, 3] with (x1, 1)^T E (x0, 1) = 0 for coordinates that are divided by K.
    """
    x, y, z = pose_0to1.t
    return np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ pose_0to1.R


def fundamental_from_essential(E: np.ndarray, camera0: Camera, camera1: Camera) -> np.ndarray:
    """Return the fundamental matrix F = K1^-T E K0^-1.

    Args:
        E: [3, 3].
        camera0: The calibration of image 0.
        camera1: The calibration of image 1.

    Returns:
        [3, 3] with (x1, 1)^T F (x0, 1) = 0 in px.
    """
    return np.linalg.inv(camera1.K).T @ E @ np.linalg.inv(camera0.K)


def epipolar_distance(F: np.ndarray, points0: np.ndarray, points1: np.ndarray) -> np.ndarray:
    """Return the Sampson distances of matched points from an epipolar geometry.

    To first order, how far both points together have to move to fit (Hartley and Zisserman,
    "Multiple View Geometry", 2nd edition, section 11.4.3).

    Args:
        F: [3, 3] fundamental matrix from image 0 to image 1.
        points0: [S, 2] px in image 0.
        points1: [S, 2] px in image 1.

    Returns:
        [S] px; NaN for points at both epipoles.
    """
    x0, x1 = to_homogeneous(points0), to_homogeneous(points1)
    lines1, lines0 = x0 @ F.T, x1 @ F
    gradient = (lines1[:, :2] ** 2).sum(1) + (lines0[:, :2] ** 2).sum(1)
    with np.errstate(invalid="ignore"):
        return np.abs((x1 * lines1).sum(1)) / np.sqrt(gradient)


def symmetric_epipolar_distance(
    points0: Array, points1: Array, F: Array, *, squared: bool = False
) -> Array:
    """Return how far matched points are from each other's epipolar lines.

    Args:
        points0: [..., S, 2] in the unit of ``F``: px for a fundamental matrix, coordinates
            divided by K for an essential one.
        points1: [..., S, 2], the partners.
        F: [..., 3, 3], from image 0 to image 1.
        squared: Return the sum of both squared distances instead of the mean of both.

    Returns:
        [..., S], the mean of the distances in both images; not finite at an epipole.
    """
    points0, points1 = to_homogeneous(points0), to_homogeneous(points1)
    lines1, lines0 = points0 @ F.swapaxes(-1, -2), points1 @ F  # [..., S, 3]
    residual = abs((points1 * lines1).sum(-1))
    with np.errstate(divide="ignore", invalid="ignore"):
        distance0, distance1 = residual / _slope(lines0), residual / _slope(lines1)
    return distance0**2 + distance1**2 if squared else (distance0 + distance1) / 2


def symmetric_epipolar_distance_matrix(points0: Array, points1: Array, F: Array) -> Array:
    """Return the symmetric epipolar distances of all pairs of points.

    Args:
        points0: [..., N, 2], in the unit of ``F``.
        points1: [..., M, 2].
        F: [..., 3, 3], from image 0 to image 1.

    Returns:
        [..., N, M], as :func:`symmetric_epipolar_distance` for each pair.
    """
    points0, points1 = to_homogeneous(points0), to_homogeneous(points1)
    lines1, lines0 = points0 @ F.swapaxes(-1, -2), points1 @ F
    residual = abs(lines1 @ points1.swapaxes(-1, -2))  # [..., N, M]
    with np.errstate(divide="ignore", invalid="ignore"):
        return (residual / _slope(lines1)[..., None] + residual / _slope(lines0)[..., None, :]) / 2


def _slope(lines: Array) -> Array:
    """[...], how fast the equations of lines [..., 3] change across them."""
    return (lines[..., 0] ** 2 + lines[..., 1] ** 2) ** 0.5
