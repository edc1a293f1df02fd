"""Affine maps of the plane, as matrices [2, 3] that map x to A x + t."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gluestick.types.views import AffineMap


def compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Return the map [2, 3] that applies ``inner`` first and ``outer`` then."""
    linear = outer[:, :2] @ inner[:, :2]
    return np.column_stack([linear, outer[:, :2] @ inner[:, 2] + outer[:, 2]])


def inverse(affine: np.ndarray) -> np.ndarray:
    """Return the inverse [2, 3] of a map.

    Raises:
        numpy.linalg.LinAlgError: If there is none.
    """
    linear = np.linalg.inv(affine[:, :2])
    return np.column_stack([linear, -linear @ affine[:, 2]])


def apply(affine: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points [..., 2]."""
    return points @ affine[:, :2].T + affine[:, 2]


def resizing(scale: Sequence[float]) -> np.ndarray:
    """Return the map [2, 3] of an image to a copy that is resized by a scale (x, y)."""
    x, y = (float(factor) for factor in scale)
    return np.array([[x, 0.0, x / 2 - 0.5], [0.0, y, y / 2 - 0.5]])


def as_rows(affine: np.ndarray) -> AffineMap:
    """Return a map [2, 3] as rows of numbers, in the form that a ViewFrame keeps."""
    (a, b, x), (c, d, y) = affine.tolist()
    return (a, b, x), (c, d, y)


class Stretch(NamedTuple):
    """How an affine map changes lengths.

    Attributes:
        scale: The geometric mean of both singular values.
        tilt: The larger singular value over the smaller one, at least 1; the absolute tilt of
            Morel and Yu, "ASIFT" (SIAM J. Imaging Sciences 2009).
    """

    scale: float
    tilt: float


def stretch(affine: np.ndarray) -> Stretch:
    """Return how a map [2, 3] or its linear part [2, 2] changes lengths."""
    longest, shortest = np.linalg.svd(affine[:, :2], compute_uv=False)
    if shortest <= 0:
        return Stretch(scale=0.0, tilt=float("inf"))
    return Stretch(scale=float(np.sqrt(longest * shortest)), tilt=float(longest / shortest))
