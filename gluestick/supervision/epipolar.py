"""Epipolar geometry of a known pose, and how far matches are from it.

The functions take numpy arrays and torch tensors alike, and what comes in goes out. See
Hartley and Zisserman, "Multiple View Geometry" (2nd edition), sections 9.2 and 9.6.
"""

import numpy as np
import torch
from torch import Tensor

from gluestick.geometry.points import Array, to_homogeneous


def essential_matrix(R_0to1: Array, t_0to1: Array) -> Array:
    """Return [t]x R, for which x1' E x0 = 0 holds in normalised coordinates.

    Args:
        R_0to1: [..., 3, 3], X1 = R X0 + t.
        t_0to1: [..., 3].

    Returns:
        [..., 3, 3].
    """
    if isinstance(R_0to1, Tensor):
        columns = torch.linalg.cross(t_0to1[..., None, :].expand(R_0to1.shape), R_0to1.mT)
        return columns.mT
    return np.cross(t_0to1[..., None, :], R_0to1.swapaxes(-1, -2)).swapaxes(-1, -2)


def fundamental_matrix(R_0to1: Array, t_0to1: Array, K0: Array, K1: Array) -> Array:
    """Return the matrix for which x1' F x0 = 0 holds in pixels.

    Args:
        R_0to1: [..., 3, 3], X1 = R X0 + t.
        t_0to1: [..., 3].
        K0: [..., 3, 3] px.
        K1: [..., 3, 3] px.

    Returns:
        [..., 3, 3].
    """
    essential = essential_matrix(R_0to1, t_0to1)
    if isinstance(essential, Tensor):
        return torch.linalg.inv(K1).mT @ essential @ torch.linalg.inv(K0)
    return np.linalg.inv(K1).swapaxes(-1, -2) @ essential @ np.linalg.inv(K0)


def epipolar_distance(points0: Array, points1: Array, F: Array, *, squared: bool = False) -> Array:
    """Return the symmetric epipolar distances of matches.

    Args:
        points0: [..., N, 2] in the unit of ``F``: px for a fundamental matrix, normalised
            coordinates for an essential one.
        points1: [..., N, 2], the partners.
        F: [..., 3, 3], from image 0 to image 1.
        squared: Return the sum of both squared distances instead of the mean of both.

    Returns:
        [..., N], the mean of the distances of each point from the epipolar line of the other;
        NaN at an epipole.
    """
    points0, points1 = to_homogeneous(points0), to_homogeneous(points1)
    lines1, lines0 = points0 @ F.swapaxes(-1, -2), points1 @ F  # [..., N, 3]
    residual = abs((points1 * lines1).sum(-1))
    distance0, distance1 = residual / _normal_length(lines0), residual / _normal_length(lines1)
    return distance0**2 + distance1**2 if squared else (distance0 + distance1) / 2


def epipolar_distance_matrix(points0: Array, points1: Array, F: Array) -> Array:
    """Return the symmetric epipolar distances of all pairs of points.

    Args:
        points0: [..., N, 2], as in :func:`epipolar_distance`.
        points1: [..., M, 2].
        F: [..., 3, 3].

    Returns:
        [..., N, M], the means of both distances.
    """
    points0, points1 = to_homogeneous(points0), to_homogeneous(points1)
    lines1, lines0 = points0 @ F.swapaxes(-1, -2), points1 @ F
    residual = abs(lines1 @ points1.swapaxes(-1, -2))  # [..., N, M]
    length0, length1 = _normal_length(lines0), _normal_length(lines1)
    return (residual / length1[..., :, None] + residual / length0[..., None, :]) / 2


def relative_pose_error(
    R_estimated: np.ndarray, t_estimated: np.ndarray, R_true: np.ndarray, t_true: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the angles between two relative poses.

    The direction of a translation is known up to its sign only, so its angle is at most 90
    degrees. Benchmarks take the larger of both angles as the error of a pose.

    Args:
        R_estimated: [..., 3, 3].
        t_estimated: [..., 3], of any length.
        R_true: [..., 3, 3].
        t_true: [..., 3]; where it is zero, any direction is right.

    Returns:
        The rotation errors [...] in [0, 180] and the translation errors [...] in [0, 90],
        degrees in float64.
    """
    R_estimated, R_true = np.asarray(R_estimated, np.float64), np.asarray(R_true, np.float64)
    t_estimated, t_true = np.asarray(t_estimated, np.float64), np.asarray(t_true, np.float64)
    cosine = ((R_estimated * R_true).sum((-1, -2)) - 1) / 2  # trace(R_estimated' R_true)
    rotation = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    length, product = np.linalg.norm(t_true, axis=-1), abs((t_estimated * t_true).sum(-1))
    lengths = length * np.linalg.norm(t_estimated, axis=-1)
    cosine = np.divide(product, lengths, out=np.zeros_like(product), where=lengths > 0)
    translation = np.degrees(np.arccos(np.minimum(cosine, 1)))
    return rotation, np.where(length > 0, translation, 0.0)


def _normal_length(lines: Array) -> Array:
    return (lines[..., 0] ** 2 + lines[..., 1] ** 2) ** 0.5
