"""Points in the plane: homogeneous coordinates and the scale of a set of points."""

from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

Array = TypeVar("Array", np.ndarray, Tensor)
"""A numpy array or a torch tensor; what comes in goes out."""


def to_homogeneous(points: Array) -> Array:
    """Append a 1 to every point.

    Args:
        points: [..., D].

    Returns:
        [..., D+1].
    """
    if isinstance(points, Tensor):
        return torch.cat([points, torch.ones_like(points[..., :1])], dim=-1)
    return np.concatenate([points, np.ones_like(points[..., :1])], axis=-1)


def spread(points: np.ndarray) -> float:
    """Return the size of a set of points: the median distance from its median.

    Args:
        points: [N, 2] with N > 0.

    Returns:
        A length in the unit of the points; where more than half of the points coincide, the
        mean distance, and 0 if all do.
    """
    distances = np.linalg.norm(points - np.median(points, axis=0), axis=1)
    return float(np.median(distances) or distances.mean())


def normalizing_transform(points: np.ndarray, *, scale: float) -> np.ndarray:
    """Return the similarity that moves the median of points to 0 and divides by a scale.

    It conditions linear systems as in Hartley, "In defense of the eight-point algorithm"
    (PAMI 1997); the median keeps single outliers from spoiling that.

    Args:
        points: [N, 2] with N > 0.
        scale: A positive length in the unit of the points.

    Returns:
        [3, 3] float64, to be applied to homogeneous column vectors.
    """
    x, y = np.median(points, axis=0)
    return np.array([[1 / scale, 0, -x / scale], [0, 1 / scale, -y / scale], [0, 0, 1]])


def line_deviation(points: np.ndarray) -> float:
    """Return the root mean square distance of points from the line that fits them best.

    Args:
        points: [N, 2].

    Returns:
        A length in the unit of the points; 0 for fewer than three points.
    """
    if len(points) < 3:
        return 0.0
    centred = points - points.mean(axis=0)
    return float(np.linalg.svd(centred, compute_uv=False)[-1] / np.sqrt(len(points)))
