"""Homographies: mapping points and lines, and the distance between two of them."""

import numpy as np
import torch
from torch import Tensor

from gluestick.geometry.points import Array, to_homogeneous


def transform_points(H: Array, points: Array) -> Array:
    """Map points by homographies.

    Args:
        H: [..., 3, 3], applied to column vectors (x, y, 1).
        points: [..., N, 2], with leading sizes that broadcast against those of ``H``.

    Returns:
        [..., N, 2]. A point on the line that ``H`` sends to infinity gives inf or NaN, one
        beyond it a finite position without meaning.
    """
    mapped = to_homogeneous(points) @ H.swapaxes(-1, -2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return mapped[..., :2] / mapped[..., 2:]


def transform_lines(H: Array, lines: Array) -> Array:
    """Map line segments by homographies, endpoint by endpoint.

    Args:
        H: [..., 3, 3].
        lines: [..., M, 2, 2], with leading sizes that broadcast against those of ``H``.

    Returns:
        [..., M, 2, 2]; see :func:`transform_points` for endpoints at infinity.
    """
    return transform_points(H[..., None, :, :], lines)


def homography_corner_error(
    H_estimated: Array, H_true: Array, *, image_size: tuple[float, float]
) -> Array:
    """Return the mean distance between the image corners mapped by two homographies.

    The corners are (0, 0), (w, 0), (w, h) and (0, h), as in the evaluation of DeTone et al.,
    "Deep Image Homography Estimation" (2016), and its successors.

    Args:
        H_estimated: [..., 3, 3], from image 0 to image 1.
        H_true: [..., 3, 3].
        image_size: (width, height) of image 0 in px.

    Returns:
        [...] px in image 1, in float64.
    """
    width, height = image_size
    corners = [[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]]
    if isinstance(H_estimated, Tensor):
        positions = torch.tensor(corners, dtype=torch.float64, device=H_estimated.device)
        estimated, true = H_estimated.double(), H_true.double()
        difference = transform_points(estimated, positions) - transform_points(true, positions)
        return torch.linalg.vector_norm(difference, dim=-1).mean(-1)
    positions = np.array(corners)
    estimated, true = H_estimated.astype(np.float64), H_true.astype(np.float64)
    difference = transform_points(estimated, positions) - transform_points(true, positions)
    return np.linalg.norm(difference, axis=-1).mean(-1)
