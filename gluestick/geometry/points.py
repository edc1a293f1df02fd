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


def normalizing_transform(points: np.ndarray, *, scale: float) -> np.ndarray:
    """Return the similarity that moves the mean of the points to 0 and divides by ``scale``.

    With ``scale`` the mean distance from the mean over sqrt(2), this is the normalisation of
    Hartley, "In defense of the eight-point algorithm" (PAMI 1997).

    Args:
        points: [N, 2] with N > 0.
        scale: A positive length in the unit of the points.

    Returns:
        [3, 3] float64, to be applied to homogeneous column vectors.
    """
    x, y = points.mean(axis=0)
    return np.array([[1 / scale, 0, -x / scale], [0, 1 / scale, -y / scale], [0, 0, 1]])


def spread(points: np.ndarray) -> float:
    """Return the mean distance of [N, 2] points from their mean, divided by sqrt(2)."""
    return float(np.linalg.norm(points - points.mean(axis=0), axis=1).mean() / np.sqrt(2))
