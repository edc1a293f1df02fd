"""What is known about each line of an image before it is compared with any other."""

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from gluestick.matching.line_heads.guidance import (
    PointMatches,
    carry_lines,
    find_near_matches,
    in_units,
    lengths,
)
from gluestick.matching.line_heads.guided import trust_of_lines
from gluestick.matching.line_heads.neighbour_sides import (
    NUM_SIDE_NEIGHBOURS,
    Neighbours,
    find_neighbours,
)
from gluestick.precision import at_least_single
from gluestick.types import Wireframe

_TYPICAL_LENGTH = 40.0
_TINY = 1e-6


class LineContext(NamedTuple):
    """The lines of one image of each pair, in units of 1/640 of its longer side.

    Lines come last, so that what is done to one number of all lines runs through memory.

    Attributes:
        lines: [2, 2, B, L], end and coordinate first.
        mask: [B, L] bool, the real ones.
        directions: [2, B, L], of unit length.
        log_lengths: [B, L], of the lengths over a typical one.
        junctions: [2, B, L] int64, at both ends.
        colors: [2, C, B, L], on the left and on the right.
        carried: [2, 2, 3, B, L], as they must lie in the other image by all neighbours, those on
            the left and those on the right.
        carried_directions: [2, B, L], by all neighbours.
        trust: [5, B, L], how far that can be trusted.
        neighbours: The matched points around the lines.
    """

    lines: Tensor
    mask: Tensor
    directions: Tensor
    log_lengths: Tensor
    junctions: Tensor
    colors: Tensor
    carried: Tensor
    carried_directions: Tensor
    trust: Tensor
    neighbours: Neighbours

    def select(self, images: slice, lines: slice) -> "LineContext":
        """Return some of the lines of some images."""
        own = {
            name: value[..., images, lines].contiguous()
            for name, value in self._asdict().items()
            if isinstance(value, Tensor)
        }
        around = (value[..., images, lines].contiguous() for value in self.neighbours)
        return self._replace(**own, neighbours=Neighbours(*around))


def describe_lines(
    wireframe0: Wireframe, wireframe1: Wireframe, matches: PointMatches
) -> tuple[LineContext, LineContext]:
    """Look at the lines of both images of B pairs.

    Args:
        wireframe0: The wireframes of the images 0.
        wireframe1: The wireframes of the images 1.
        matches: The matches that guide the lines.

    Raises:
        ValueError: If a wireframe was made without ``side_colors``.
    """
    colors0, colors1 = wireframe0.side_colors, wireframe1.side_colors
    if colors0 is None or colors1 is None:
        raise ValueError(
            "the line head same_line needs the colours beside the lines, and a wireframe has "
            "none: extract it with features.side_colors=true, as the models with this head do"
        )
    # Both directions are one batch, which takes half as many steps.
    batch_size, sides = colors0.shape[0], (wireframe0, wireframe1)
    lines = _batch(*(in_units(side.detected_lines, side) for side in sides))
    matches = PointMatches(
        *(torch.cat(both) for both in zip(matches, matches.swapped(), strict=True))
    )
    near = find_near_matches(lines, matches, number=NUM_SIDE_NEIGHBOURS)
    carried = carry_lines(lines, matches, near)
    segments, onto = lines.permute(2, 3, 0, 1), carried.lines.permute(3, 4, 1, 0, 2)
    steps = segments[1] - segments[0]
    both = LineContext(
        lines=segments,
        mask=_batch(*(side.line_mask for side in sides)),
        directions=_unit(steps),
        log_lengths=(lengths(steps) / _TYPICAL_LENGTH).clamp(min=0.05).log(),
        junctions=_batch(*(side.line_junctions for side in sides)).permute(2, 0, 1),
        colors=_batch(at_least_single(colors0), at_least_single(colors1)).permute(2, 3, 0, 1),
        carried=onto,
        carried_directions=_unit(onto[1, :, 0] - onto[0, :, 0]),
        trust=torch.stack(trust_of_lines(carried)),
        neighbours=find_neighbours(segments, matches, near),
    )
    return (
        both.select(slice(batch_size), slice(colors0.shape[1])),
        both.select(slice(batch_size, None), slice(colors1.shape[1])),
    )


def _batch(first: Tensor, second: Tensor) -> Tensor:
    """[B, L0, ...] and [B, L1, ...] -> [2 B, L, ...], with padding for the fewer lines."""
    number = max(first.shape[1], second.shape[1])
    unpadded = (0, 0) * (first.ndim - 2)
    return torch.cat(
        [F.pad(side, (*unpadded, 0, number - side.shape[1])) for side in (first, second)]
    )


def _unit(vectors: Tensor) -> Tensor:
    """Return vectors [2, ...] with the length 1."""
    return vectors / lengths(vectors).clamp(min=_TINY)
