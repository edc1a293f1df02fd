"""Local maxima of the score maps of a batch, in operations that ONNX has."""

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor


class Pixels(NamedTuple):
    """Pixels of a batch of maps.

    Attributes:
        image: [N] int64, of which map.
        x: [N] int64, the columns.
        y: [N] int64, the rows.
    """

    image: Tensor
    x: Tensor
    y: Tensor


def find_peaks(scores: Tensor, *, radius: int, threshold: float, visible: Tensor) -> Pixels:
    """Find the pixels that have the largest score of the window around them.

    Args:
        scores: [B, H, W].
        radius: At least 1 px; the window has 2 * radius + 1 pixels on a side.
        threshold: What a maximum exceeds.
        visible: [B] bool, the maps that may have maxima.

    Returns:
        The maxima, of which none lies within ``radius`` of the border.
    """
    height, width = scores.shape[1:]
    largest = F.max_pool2d(scores[:, None], 2 * radius + 1, stride=1, padding=radius)[:, 0]
    row = torch.arange(height, device=scores.device)[:, None]
    column = torch.arange(width, device=scores.device)
    inner = (row >= radius) & (row < height - radius)
    inner = inner & (column >= radius) & (column < width - radius)
    peaks = (scores == largest) & (scores > threshold) & inner & visible[:, None, None]
    image, y, x = peaks.nonzero(as_tuple=True)
    return Pixels(image, x, y)


def windows_around(scores: Tensor, pixels: Pixels, *, radius: int) -> tuple[Tensor, Tensor]:
    """Cut out the windows around pixels at least ``radius`` px away from the border.

    Returns:
        The scores [N, K], and the offsets [K, 2] px, (x, y), of a window's pixels from its centre.
    """
    step = torch.arange(-radius, radius + 1, device=scores.device)
    dx, dy = step.repeat(len(step)), step.repeat_interleave(len(step))
    places = pixels.image[:, None], pixels.y[:, None] + dy, pixels.x[:, None] + dx
    return scores[places], torch.stack([dx, dy], dim=1).to(scores)


def are_strict(scores: Tensor, pixels: Pixels, *, radius: int) -> Tensor:
    """Return which pixels [N] have a larger score than all others in the window around them."""
    windows, _ = windows_around(scores, pixels, radius=radius)
    own = scores[pixels.image, pixels.y, pixels.x]
    return (windows == own[:, None]).sum(1) == 1


def strongest(
    values: Tensor, pixels: Pixels, number: Tensor, *, like: Tensor, radius: int
) -> tuple[Tensor, Pixels]:
    """Choose the pixels of each map with the highest values.

    Args:
        values: [N], 0 for pixels that do not count.
        pixels: The pixels.
        number: [] int64, K.
        like: [B, H, W], the maps.
        radius: px, which chosen pixels keep from the border.

    Returns:
        The values [B, K], best first, filled up with 0, and the B * K pixels.
    """
    height, width = like.shape[1:]
    ranked = torch.zeros_like(like).index_put((pixels.image, pixels.y, pixels.x), values)
    found, index = ranked.flatten(1).topk(number, dim=1)  # type: ignore[arg-type]
    row = index // width
    column = (index - row * width).clamp(min=radius).clamp(max=width - 1 - radius)
    row = row.clamp(min=radius).clamp(max=height - 1 - radius)
    image = torch.arange(like.shape[0], device=like.device)[:, None].expand_as(index)
    return found, Pixels(image.flatten(), column.flatten(), row.flatten())


def sample_pixels(dense: Tensor, image: Tensor, positions: Tensor) -> Tensor:
    """Interpolate maps [B, H, W] of the images [N] at positions [N, 2] px inside: [N]."""
    height, width = dense.shape[1:]
    x, y = positions.unbind(1)
    left = x.floor().clamp(min=0).clamp(max=width - 2)
    above = y.floor().clamp(min=0).clamp(max=height - 2)
    right, below = x - left, y - above
    column, row = left.long(), above.long()
    upper = dense[image, row, column] * (1 - right) + dense[image, row, column + 1] * right
    lower = dense[image, row + 1, column] * (1 - right) + dense[image, row + 1, column + 1] * right
    return upper * (1 - below) + lower * below


def size_vector(width: int, height: int, *, like: Tensor) -> Tensor:
    """Return (width, height), which tracing keeps as what follows from the inputs: [2]."""
    return like.new_tensor([1.0, 0.0]) * width + like.new_tensor([0.0, 1.0]) * height
