"""Pixel conventions, converted in one place.

Everywhere in this package the centre of the top-left pixel is (0, 0), so an image of width w
covers x from -0.5 to w - 0.5. Other tools put (0, 0) at the corner of that pixel (COLMAP), and
resizing an image scales about that corner.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from gluestick.checks import ShapeError

Coordinates = TypeVar("Coordinates", Tensor, np.ndarray)


def centre_to_corner(points: Coordinates) -> Coordinates:
    """Convert coordinates of this package to those with (0, 0) at the image's corner.

    Args:
        points: [..., 2] px, the centre of the top-left pixel is (0, 0).

    Returns:
        [..., 2] px, the outer corner of the top-left pixel is (0, 0), as in COLMAP.

    Raises:
        ShapeError: If the last dimension is not 2.
    """
    _check_points(points)
    return points + 0.5


def corner_to_centre(points: Coordinates) -> Coordinates:
    """Convert coordinates with (0, 0) at the image's corner to those of this package.

    The inverse of :func:`centre_to_corner`, with the same arguments and errors.
    """
    _check_points(points)
    return points - 0.5


def to_resized(points: Coordinates, *, scale: Sequence[float] | Tensor | np.ndarray) -> Coordinates:
    """Map coordinates of an image into a resized copy: x -> (x + 0.5) * scale - 0.5.

    Args:
        points: [..., 2] px of the original image.
        scale: (x, y), the size of the copy over the size of the original.

    Returns:
        [..., 2] px of the copy.

    Raises:
        ShapeError: If the last dimension is not 2, or ``scale`` does not have two entries.
    """
    _check_points(points)
    return (points + 0.5) * _like(points, scale) - 0.5


def from_resized(
    points: Coordinates, *, scale: Sequence[float] | Tensor | np.ndarray
) -> Coordinates:
    """Map coordinates of a resized copy back into the original image.

    The inverse of :func:`to_resized`, with the same scale and errors.

    Args:
        points: [..., 2] px of the copy.
        scale: (x, y), the size of the copy over the size of the original.

    Returns:
        [..., 2] px of the original image.
    """
    _check_points(points)
    return (points + 0.5) / _like(points, scale) - 0.5


def _check_points(points: Any) -> None:
    if points.ndim == 0 or points.shape[-1] != 2:
        raise ShapeError(f"points need the shape [..., 2], found {list(points.shape)}")


def _like(points: Coordinates, scale: Any) -> Any:
    if isinstance(points, Tensor):
        factors = torch.as_tensor(scale, device=points.device)
        factors = factors.to(points.dtype) if points.is_floating_point() else factors
    else:
        factors = np.asarray(scale)
    if tuple(factors.shape) != (2,):
        raise ShapeError(f"scale needs two entries (x, y), found the shape {list(factors.shape)}")
    return factors
