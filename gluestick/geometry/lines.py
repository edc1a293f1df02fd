"""Line segments in the plane.

A segment is [2, 2]: its two endpoints as (x, y). The functions take numpy arrays and torch
tensors alike, and what comes in goes out.
"""

import numpy as np
import torch
from torch import Tensor

from gluestick.geometry.points import Array


def line_lengths(lines: Array) -> Array:
    """Return the lengths of segments.

    Args:
        lines: [..., 2, 2] px.

    Returns:
        [...] px.
    """
    steps = lines[..., 1, :] - lines[..., 0, :]
    if isinstance(steps, Tensor):
        return torch.linalg.vector_norm(steps, dim=-1)
    return (steps**2).sum(-1) ** 0.5


def line_normals(lines: Array) -> Array:
    """Return the unit vectors across segments.

    Args:
        lines: [..., 2, 2] px, of positive length.

    Returns:
        [..., 2], the direction from the first to the second endpoint, turned by +90 degrees
        from the x towards the y axis: (dx, dy) -> (-dy, dx).
    """
    steps = lines[..., 1, :] - lines[..., 0, :]
    return turned_by_90_degrees(steps / line_lengths(lines)[..., None])


def turned_by_90_degrees(vectors: Array) -> Array:
    """Turn vectors [..., 2] from the x towards the y axis: (x, y) -> (-y, x)."""
    x, y = vectors[..., 0], vectors[..., 1]
    if isinstance(x, Tensor):
        return torch.stack([-y, x], dim=-1)
    return np.stack([-y, x], axis=-1)


def distances_from_lines(points: Tensor, lines: Tensor) -> Tensor:
    """Return the distances of points from segments, beyond whose ends the nearest end counts.

    Args:
        points: [..., K, 2] px, K points for each segment, or shapes that broadcast to this.
        lines: [..., 2, 2] px. A segment without length is a point.

    Returns:
        [..., K] px.
    """
    step = lines[..., 1:, :] - lines[..., :1, :]  # [..., 1, 2]
    offset = points - lines[..., :1, :]
    squared = (step**2).sum(-1).clamp(min=torch.finfo(step.dtype).tiny)
    fraction = ((offset * step).sum(-1) / squared).clamp(0, 1)
    return torch.linalg.vector_norm(offset - fraction[..., None] * step, dim=-1)


def points_on_lines(lines: Array, fractions: Array) -> Array:
    """Return the points at given fractions of segments.

    Args:
        lines: [..., 2, 2] px.
        fractions: [K], 0 at the first endpoint and 1 at the second.

    Returns:
        [..., K, 2] px.
    """
    first, second = lines[..., None, 0, :], lines[..., None, 1, :]  # [..., 1, 2]
    return first + fractions[:, None] * (second - first)


def clip_to_image(lines: np.ndarray, *, image_size: tuple[int, int]) -> np.ndarray:
    """Cut off what lies outside the rectangle of the outermost pixel centres.

    Args:
        lines: [L, 2, 2] px.
        image_size: (width, height) px.

    Returns:
        [L, 2, 2] px, with x in [0, width - 1] and y in [0, height - 1]. A segment that lies
        entirely outside becomes a point.
    """
    last = np.asarray(image_size, dtype=lines.dtype) - 1
    first, direction = lines[:, 0], lines[:, 1] - lines[:, 0]  # [L, 2]
    moving = direction != 0
    divisor = np.where(moving, direction, 1)
    inside = (first >= 0) & (first <= last)
    at_borders = np.stack([-first / divisor, (last - first) / divisor])  # [2, L, 2]
    enter = np.where(moving, at_borders.min(axis=0), np.where(inside, 0, np.inf)).max(axis=1)
    leave = np.where(moving, at_borders.max(axis=0), 1).min(axis=1)
    start = enter.clip(0, 1)
    end = np.maximum(leave.clip(0, 1), start)
    fractions = np.stack([start, end], axis=1)[..., None]  # [L, 2, 1]
    cut = np.where(fractions < 1, first[:, None] + fractions * direction[:, None], lines[:, 1:])
    return np.clip(cut, 0, last).astype(lines.dtype)


def lines_inside_mask(lines: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Tell which segments lie entirely on True pixels.

    A segment is sampled from end to end at steps of at most one pixel; each sample belongs to
    the pixel whose centre is nearest, and samples outside the mask count as False.

    Args:
        lines: [L, 2, 2] px.
        mask: [H, W] bool.

    Returns:
        [L] bool.
    """
    height, width = mask.shape
    steps = np.maximum(np.ceil(line_lengths(lines)).astype(np.int64), 1)  # [L]
    owner = np.repeat(np.arange(len(lines)), steps + 1)  # [S]
    first_sample = np.cumsum(steps + 1) - (steps + 1)
    fractions = (np.arange(len(owner)) - first_sample[owner]) / steps[owner]
    first, second = lines[owner, 0], lines[owner, 1]  # [S, 2]
    pixels = np.rint(first + fractions[:, None] * (second - first)).astype(np.int64)
    x, y = pixels.T
    covered = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    covered[covered] = mask[y[covered], x[covered]]
    return np.bincount(owner[~covered], minlength=len(lines)) == 0
