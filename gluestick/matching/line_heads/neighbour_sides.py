"""On which side of a line its neighbours lie, in both images.

What lies left of a line keeps lying on that side of it, which neither a mirror image nor the
other one of two parallel lines does.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from gluestick.matching.line_heads.guidance import PointMatches

_NUM_NEIGHBOURS = 16
_RADIUS = 120.0
_HALF_WEIGHT = 15.0
_CLEAR = 4.0
"""The distance from a line at which it is clear on which side of it a point lies."""

_ON = 2.5
"""The distance at which a point may still lie on a line."""

_TINY = 1e-6


class Neighbours(NamedTuple):
    """The matched points around lines.

    Attributes:
        positions: [B, L, N, 2], where they are in the other image.
        offsets: [B, L, N], how far they are from the line, positive on its left.
        weights: [B, L, N], how much each is trusted, less when it is far away.
    """

    positions: Tensor
    offsets: Tensor
    weights: Tensor


def find_neighbours(lines: Tensor, matches: PointMatches) -> Neighbours:
    """Find the matched points around the lines of image 0.

    Args:
        lines: [B, L, 2, 2].
        matches: The matches.

    Returns:
        The nearest of them.
    """
    steps = (lines[:, :, 1] - lines[:, :, 0])[:, :, None]  # [B, L, 1, 2]
    away = matches.positions0[:, None] - lines[:, :, :1]  # [B, L, K, 2]
    squared = (steps**2).sum(-1).clamp(min=_TINY)
    along = ((away * steps).sum(-1) / squared).clamp(0, 1)
    distance = (away - along[..., None] * steps).norm(dim=-1)
    usable = (distance < _RADIUS) & (matches.weights > 0)[:, None]
    distance = distance.masked_fill(~usable, float("inf"))
    near, index = distance.topk(min(_NUM_NEIGHBOURS, distance.shape[-1]), dim=-1, largest=False)
    cross = away[..., 0] * steps[..., 1] - away[..., 1] * steps[..., 0]
    flat = index.flatten(1)  # [B, L * N]
    positions = matches.positions1.gather(1, flat[..., None].expand(-1, -1, 2))
    return Neighbours(
        positions=positions.view(*index.shape, 2),
        offsets=cross.gather(2, index) / squared.sqrt(),
        weights=matches.weights.gather(1, flat).view(index.shape)
        * _HALF_WEIGHT
        / (_HALF_WEIGHT + near),
    )


def side_channels(neighbours: Neighbours, others: Tensor, same_direction: Tensor) -> list[Tensor]:
    """Compare the sides of a line with those of its possible partner.

    Args:
        neighbours: [K, N, ...], those of the line of each pair.
        others: [K, 2, 2], the partners.
        same_direction: [K], 1 where the partner runs the same way as the carried line, -1 where
            it runs the other way.

    Returns:
        Four numbers [K]: how far the neighbours keep their sides, from -1 (all change it) to 1;
        how much speaks for that; how many of those that lie on the line lie on the partner, and
        how many do not.
    """
    steps = (others[:, 1] - others[:, 0])[:, None]  # [K, 1, 2]
    length = steps.norm(dim=-1).clamp(min=_TINY)
    away = neighbours.positions - others[:, :1]  # [K, N, 2]
    offsets = (away[..., 0] * steps[..., 1] - away[..., 1] * steps[..., 0]) / length
    side0 = (neighbours.offsets / _CLEAR).clamp(-1, 1)
    side1 = (offsets / _CLEAR).clamp(-1, 1) * same_direction[:, None]
    evidence = (neighbours.weights * (side0 * side1).abs()).sum(-1)
    kept = (neighbours.weights * side0 * side1).sum(-1) / (evidence + 0.25)
    on0, on1 = (torch.exp(-((values / _ON) ** 2)) for values in (neighbours.offsets, offsets))
    return [
        kept,
        torch.log1p(evidence) - 1,
        torch.log1p((neighbours.weights * on0 * on1).sum(-1)),
        torch.log1p((neighbours.weights * on0 * (1 - on1)).sum(-1)),
    ]
