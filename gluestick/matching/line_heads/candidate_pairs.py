"""Which pairs of lines are worth a closer look."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gluestick.matching.line_heads.guidance import Agreement, lengths

_MAX_DISTANCE = 20.0
"""Units of 1/640 of the longer side, between a carried line and a candidate."""

_MAX_GAP = 0.5
"""The largest gap between both, as a share of the longer."""

_NUM_ALIKE = 4

CANDIDATE_RULE = {"distance": _MAX_DISTANCE, "gap": _MAX_GAP, "alike": _NUM_ALIKE}
"""What decides which pairs are looked at, and so which examples there are."""


class LinePairs(NamedTuple):
    """Pairs of lines of a batch.

    Attributes:
        image: [K] int64, the pair of images.
        line0: [K] int64, the line of image 0.
        line1: [K] int64, the line of image 1.
    """

    image: Tensor
    line0: Tensor
    line1: Tensor

    @classmethod
    def join(cls, parts: "Sequence[LinePairs]") -> "LinePairs":
        """Return the pairs of all parts, one after the other."""
        return cls(*(torch.cat(values) for values in zip(*parts, strict=True)))

    def indices(self) -> Tensor:
        """Return the pairs as rows [K, 3]."""
        return torch.stack([*self], dim=1)

    def select(self, index: Tensor) -> "LinePairs":
        """Return some of the pairs, by a mask or by their indices."""
        return LinePairs(*(values[index] for values in self))

    def take(self, channel: Tensor) -> Tensor:
        """Return the values [K] of a channel [B, L0, L1] for these pairs."""
        row = self.image * channel.shape[1] + self.line0
        return channel.flatten().index_select(0, row * channel.shape[2] + self.line1)

    def of0(self, values: Tensor) -> Tensor:
        """Return the values [..., K] of the lines of image 0, from [..., B, L0]."""
        return _of_lines(values, self.image, self.line0)

    def of1(self, values: Tensor) -> Tensor:
        """Return the values [..., K] of the lines of image 1, from [..., B, L1]."""
        return _of_lines(values, self.image, self.line1)


def _of_lines(values: Tensor, image: Tensor, line: Tensor) -> Tensor:
    *sizes, batch_size, number = values.shape
    flat = values.reshape(math.prod(sizes), batch_size * number)  # far faster with two axes
    return flat.index_select(1, image * number + line).view(*sizes, line.shape[0])


def possibly_near(carried: Tensor, others: Tensor) -> Tensor:
    """Tell which carried lines may come near which others, by their middles and lengths alone.

    Args:
        carried: [2, 2, 3, B, L], end, coordinate and kind first.
        others: [2, 2, B, M], in the same image.

    Returns:
        [B, L, M] bool, True at least where :func:`is_near` is.
    """
    # A point of one is then at most twice the distance, which is the mean of two, and the gap,
    # which is at most half the mean length, away from a point of the other.
    reach0, reach1 = (
        (1 + _MAX_GAP) / 2 * lengths(lines[1] - lines[0]) + _MAX_DISTANCE
        for lines in (carried, others)
    )
    x1, y1 = others.mean(0)[:, :, None]  # [B, 1, M]
    near = []
    for middle, reach in zip(carried.mean(0).unbind(1), reach0, strict=True):
        x, y = middle[..., None]  # [B, L, 1]
        apart = (x - x1).square_().add_((y - y1).square_())
        near.append(apart <= (reach[..., None] + reach1[:, None]).square_())
    return near[0] | near[1] | near[2]


def is_near(agreement: Agreement) -> Tensor:
    """Tell which lines [K] come near each other, by how they agree [3, K]."""
    gap = torch.minimum(agreement.share, agreement.other_share)
    return ((agreement.distance < _MAX_DISTANCE) & (gap > -_MAX_GAP)).any(0)


def alike_pairs(similarity: Tensor, mask0: Tensor, mask1: Tensor) -> Tensor:
    """Tell which pairs have endpoints that are among the most alike of their row or column.

    Equals, such as copies of a line, take one place.

    Args:
        similarity: [B, L0, L1], of their endpoints.
        mask0: [B, L0] bool, the real lines.
        mask1: [B, L1] bool.

    Returns:
        [B, L0, L1] bool, True for real lines only.
    """
    real = mask0[:, :, None] & mask1[:, None]
    if similarity.numel() == 0:
        return real
    values = similarity.masked_fill(~real, float("-inf"))
    alike = torch.zeros_like(real)
    for dim in (1, 2):
        lowest = values.amax(dim, keepdim=True)
        for _ in range(_NUM_ALIKE - 1):
            lowest = values.masked_fill(values >= lowest, float("-inf")).amax(dim, keepdim=True)
        alike = alike | (values >= lowest)
    return alike & real
