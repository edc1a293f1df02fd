"""Reading dense maps: local maxima, and values at any position."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from gluestick.checks import check_shapes
from gluestick.precision import without_autocast
from gluestick.transfers import small_tensor, to_host

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
    size = small_tensor([sizes["w"], sizes["h"]], like=positions)
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


def rows_of(dense: Tensor) -> Tensor:
    """Return the pixels of maps [B, D, h, w] as rows [B h w, D], row by row of each map.

    They share the memory of maps whose channels are stored last.
    """
    return dense.permute(0, 2, 3, 1).flatten(0, 2)


def maps_of(rows: Tensor, *, size: tuple[int, int]) -> Tensor:
    """Put rows [B h w, D] together to maps [B, D, h, w] of a size (h, w).

    Of a single map, convolutions take the channels for stored first: in that order features of
    single images have been summed up, and they stay what they were to the bit.
    """
    maps = rows.unflatten(0, (-1, *size)).permute(0, 3, 1, 2)
    return maps if len(maps) > 1 else maps[0][None]


def sample_rows(dense: Tensor, positions: Tensor, images: Tensor | None = None) -> Tensor:
    """Interpolate dense maps bilinearly, with zeros outside of them.

    Fastest for maps whose channels are stored last, of which it reads whole pixels.

    Args:
        dense: [B, D, h, w].
        positions: [M, 2], (x, y) in pixels of a map, as in :func:`sample_map`.
        images: [M] int64, in which of the maps each lies; None for the first.

    Returns:
        [M, D].
    """
    height, width = dense.shape[2:]
    x, y = positions.T.contiguous()  # apart, since steps over pairs take twice as long
    left, right, of_left, of_right = _neighbours(x, width)
    top, bottom, of_top, of_bottom = _neighbours(y, height)
    if images is not None:
        first = images.int() * height
        top, bottom = top + first, bottom + first
    top, bottom = top * width, bottom * width
    pixels = torch.stack([top + left, top + right, bottom + left, bottom + right], dim=1)
    weights = torch.stack(
        [of_top * of_left, of_top * of_right, of_bottom * of_left, of_bottom * of_right], dim=1
    )
    return weighted_rows(rows_of(dense), pixels, weights)


def _neighbours(places: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the cells before and after places [M], moved into the map, and their weights."""
    before = places.floor()
    share = places - before
    index = before.int()
    return (
        index.clamp(0, size - 1),
        (index + 1).clamp(0, size - 1),
        (1 - share) * ((before >= 0) & (before < size)),
        share * ((before >= -1) & (before < size - 1)),
    )


def weighted_rows(rows: Tensor, indices: Tensor, weights: Tensor) -> Tensor:
    """Add up rows with weights.

    Args:
        rows: [R, D].
        indices: [M, K] int64 or int32, which rows.
        weights: [M, K].

    Returns:
        [M, D].
    """
    if rows.device.type == "mps":  # which has no bags
        return (rows[indices] * weights[..., None]).sum(1)
    starts = torch.arange(
        0, indices.numel(), indices.shape[1], dtype=indices.dtype, device=indices.device
    )
    return F.embedding_bag(
        indices.flatten(), rows, starts, mode="sum", per_sample_weights=weights.flatten()
    )


@dataclass(frozen=True, kw_only=True)
class DenseSampler:
    """Describes positions by a dense descriptor map as large as the image.

    Attributes:
        dense: [D, H, W].
    """

    dense: Tensor

    @torch.no_grad()
    def __call__(self, positions: Tensor) -> Tensor:
        """Describe positions [M, 2] px, on any device: [M, D], rows of unit norm."""
        with without_autocast(self.dense.device):
            described = sample_descriptors(self.dense, positions.to(self.dense))
        return described.to(positions.device)


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


class Peaks(NamedTuple):
    """Pixels whose score is the largest of the window around them.

    Attributes:
        x: [N] int64, columns.
        y: [N] int64, rows; the pixels are in the order of the rows.
        windows: [N, K], the scores in the windows.
        offsets: [K, 2] int64, (x, y) px, of a window's pixels from its centre.
        strict: [N] bool, whether the score is larger than all others in the window; those of
            which it is not are to be left out, along with others that prove to be of no use.
    """

    x: Tensor
    y: Tensor
    windows: Tensor
    offsets: Tensor
    strict: Tensor


def find_peaks(
    scores: Tensor, *, radius: int, threshold: float, allowed: Tensor | None = None
) -> Peaks:
    """Find the local maxima of scores.

    Args:
        scores: [H, W].
        radius: At least 1 px; the window has 2 * radius + 1 pixels on a side.
        threshold: What a maximum exceeds.
        allowed: [H, W] bool, where maxima may lie; None for everywhere.

    Returns:
        The maxima; none within ``radius`` of the border, where the window is incomplete.
    """
    everywhere = None if allowed is None else allowed[None]
    return find_peaks_of_each(scores[None], radius=radius, threshold=threshold, allowed=everywhere)[
        0
    ]


def find_peaks_of_each(
    scores: Tensor, *, radius: int, threshold: float, allowed: Tensor | None = None
) -> list[Peaks]:
    """Find the local maxima of the scores of several images.

    Their numbers are read from the device at once, however many images there are.

    Args:
        scores: [B, H, W].
        radius: See :func:`find_peaks`.
        threshold: What a maximum exceeds.
        allowed: [B, H, W] bool, or None.

    Returns:
        The maxima of each image.
    """
    above = torch.zeros_like(scores, dtype=torch.bool)
    if min(scores.shape[1:]) > 2 * radius:
        inner = (slice(None), *[slice(radius, -radius)] * 2)
        largest = _largest_along(_largest_along(scores, 2, radius=radius), 1, radius=radius)
        above[inner] = (scores[inner] == largest) & (scores[inner] > threshold)
    if allowed is not None:
        above &= allowed
    _, y, x = above.nonzero(as_tuple=True)
    counts = [len(x)] if len(above) == 1 else to_host(above.flatten(1).sum(dim=1))[0].tolist()
    parts = zip(scores, x.split(counts), y.split(counts), strict=True)
    return [_peaks_at(*part, radius=radius) for part in parts]


def _peaks_at(scores: Tensor, x: Tensor, y: Tensor, *, radius: int) -> Peaks:
    windows, offsets = windows_around(scores, x, y, radius=radius)
    strict = (windows == scores[y, x, None]).sum(dim=1) == 1
    return Peaks(x=x, y=y, windows=windows, offsets=offsets, strict=strict)


def _largest_along(values: Tensor, dim: int, *, radius: int) -> Tensor:
    """Return the largest values of complete windows along a dimension, 2 * radius fewer."""
    length = values.shape[dim] - 2 * radius
    largest = values.narrow(dim, 0, length)
    for start in range(1, 2 * radius + 1):
        largest = largest.maximum(values.narrow(dim, start, length))
    return largest


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
