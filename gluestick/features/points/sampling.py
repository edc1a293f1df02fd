"""Reading dense maps: local maxima, and values at any position."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from gluestick.checks import check_shapes

_TINY = 1e-12


def sample_map(dense: Tensor, positions: Tensor, *, mode: str = "bilinear") -> Tensor:
    """Interpolate a dense map.

    Args:
        dense: [D, h, w].
        positions: [M, 2], (x, y) in pixels of the map, with the centre of its top-left pixel at
            (0, 0); positions outside get the value at the nearest point of the border.
        mode: "bilinear", "bicubic" or "nearest".

    Returns:
        [M, D], differentiable in both arguments.

    Raises:
        ShapeError: If an argument has another rank.
    """
    sizes = check_shapes(
        "sample_map",
        {"dense": dense, "positions": positions},
        {"dense": "D h w", "positions": "M 2"},
    )
    size = positions.new_tensor([sizes["w"], sizes["h"]])
    grid = ((2 * positions + 1) / size - 1).to(dense.dtype)
    sampled = F.grid_sample(
        dense[None], grid[None, None], mode=mode, padding_mode="border", align_corners=False
    )  # [1, D, 1, M]
    return sampled[0, :, 0].T


def sample_descriptors(dense: Tensor, positions: Tensor) -> Tensor:
    """Interpolate a dense descriptor map bilinearly and normalise.

    Arguments and errors are those of :func:`sample_map`.

    Returns:
        [M, D], rows of unit norm.
    """
    return unit_rows(sample_map(dense, positions))


def unit_rows(descriptors: Tensor) -> Tensor:
    """Divide each row by its norm; a row of zeros becomes the constant row of unit norm.

    Args:
        descriptors: [M, D].

    Returns:
        [M, D], rows of unit norm.
    """
    norms = descriptors.norm(dim=-1, keepdim=True)
    flat = descriptors.new_full((1, descriptors.shape[-1]), descriptors.shape[-1] ** -0.5)
    return torch.where(norms > _TINY, descriptors / norms.clamp_min(_TINY), flat)


def strict_maxima(scores: Tensor, *, radius: int) -> Tensor:
    """Return where a score is larger than all others in the window around it.

    Args:
        scores: [H, W].
        radius: At least 1 px; the window has 2 * radius + 1 pixels on a side.

    Returns:
        [H, W] bool; False within ``radius`` of the border, where the window is incomplete.
    """
    peaks = torch.zeros_like(scores, dtype=torch.bool)
    window = 2 * radius + 1
    if min(scores.shape) < window:
        return peaks
    inner = (slice(radius, -radius),) * 2
    peaks[inner] = scores[inner] == F.max_pool2d(scores[None], window, stride=1)[0]
    y, x = peaks.nonzero(as_tuple=True)
    windows, _ = windows_around(scores, x, y, radius=radius)
    peaks[y, x] = (windows == scores[y, x, None]).sum(dim=1) == 1
    return peaks


def windows_around(values: Tensor, x: Tensor, y: Tensor, *, radius: int) -> tuple[Tensor, Tensor]:
    """Cut out the windows around pixels.

    Args:
        values: [H, W].
        x: [N] int64, columns, at least ``radius`` away from the border.
        y: [N] int64, rows, likewise.
        radius: px; a window has K = (2 * radius + 1) ** 2 pixels.

    Returns:
        The values [N, K], and the offsets [K, 2] int64, (x, y) px, of a window's pixels from
        its centre.
    """
    step = torch.arange(-radius, radius + 1, device=values.device)
    offsets = torch.cartesian_prod(step, step).flip(1)
    dx, dy = offsets.unbind(1)
    return values[y[:, None] + dy, x[:, None] + dx], offsets
