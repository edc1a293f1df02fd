"""On which side of a line its neighbours lie, in both images.

What lies left of a line keeps lying on that side of it, which neither a mirror image nor the
other one of two parallel lines does.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from gluestick.matching.line_heads.guidance import NearMatches, PointMatches, lengths

NUM_SIDE_NEIGHBOURS = 16
_HALF_WEIGHT = 15.0
_CLEAR = 4.0
"""The distance from a line at which it is clear on which side of it a point lies."""

_ON = 2.5
"""The distance at which a point may still lie on a line."""

_TINY = 1e-6


class Neighbours(NamedTuple):
    """The matched points around lines.

    Attributes:
        x: [N, B, L], where they are in the other image.
        y: [N, B, L].
        sides: [N, B, L], from 1, clearly on the left of the line, to -1, clearly on its right.
        on: [N, B, L] in [0, 1], how likely they lie on the line.
        weights: [N, B, L], how much each is trusted, less when it is far away.
    """

    x: Tensor
    y: Tensor
    sides: Tensor
    on: Tensor
    weights: Tensor


def find_neighbours(lines: Tensor, matches: PointMatches, near: NearMatches) -> Neighbours:
    """Return the matched points around the lines of image 0.

    Args:
        lines: [2, 2, B, L], end and coordinate first.
        matches: The matches.
        near: Those around the lines.

    Returns:
        Those nearest to the lines, on whichever side.
    """
    distance, index = near.first(NUM_SIDE_NEIGHBOURS)
    distance, index = distance[:, 0].movedim(2, 0), index[:, 0]  # [N, B, L] and [B, L, N]
    flat = index.flatten(1)

    def gather(values: Tensor) -> Tensor:
        return values.gather(1, flat).view(index.shape).movedim(2, 0)

    x0, y0 = map(gather, matches.positions0.unbind(-1))
    x1, y1 = map(gather, matches.positions1.unbind(-1))
    sides, on = _across(lines, x0, y0)
    weights = gather(matches.weights) * _HALF_WEIGHT / (_HALF_WEIGHT + distance)
    return Neighbours(x=x1, y=y1, sides=sides, on=on, weights=weights)


def side_channels(neighbours: Neighbours, others: Tensor, same_direction: Tensor) -> list[Tensor]:
    """Compare the sides of a line with those of its possible partner.

    Args:
        neighbours: [N, K], those of the line of each pair.
        others: [2, 2, K], the partners, end and coordinate first.
        same_direction: [K], 1 where the partner runs the same way as the carried line, -1 where
            it runs the other way.

    Returns:
        Four numbers [K]: how far the neighbours keep their sides, from -1 (all change it) to 1;
        how much speaks for that; how many of those that lie on the line lie on the partner, and
        how many do not.
    """
    sides, on = _across(others, neighbours.x, neighbours.y)
    agreement = neighbours.weights * neighbours.sides * sides
    evidence = agreement.abs().sum(0)
    kept = agreement.sum(0) * same_direction / (evidence + 0.25)
    lying = neighbours.weights * neighbours.on
    return [
        kept,
        torch.log1p(evidence) - 1,
        torch.log1p((lying * on).sum(0)),
        torch.log1p((lying * (1 - on)).sum(0)),
    ]


def _across(lines: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return on which sides of lines [2, 2, ...] points [N, ...] lie, and how likely on them."""
    (x0, y0), step = lines[0], lines[1] - lines[0]
    dx, dy = step / lengths(step).clamp(min=_TINY)
    offsets = (x - x0) * dy - (y - y0) * dx
    return (offsets / _CLEAR).clamp(-1, 1), torch.exp(-((offsets / _ON) ** 2))
