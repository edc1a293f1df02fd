"""Which pairs of lines are worth a closer look."""

from typing import NamedTuple

import torch
from torch import Tensor

from gluestick.matching.line_heads.guidance import Agreement

_MAX_DISTANCE = 35.0
"""Units of 1/640 of the longer side, between a carried line and a candidate."""

_MAX_GAP = 0.5
"""The largest gap between both, as a share of the longer."""

_NUM_ALIKE = 8


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

    def take(self, channel: Tensor) -> Tensor:
        """Return the values [K] of a channel [B or 1, L0 or 1, L1 or 1] for these pairs."""
        index = [
            own if size > 1 else torch.zeros_like(own)
            for own, size in zip(self, channel.shape, strict=True)
        ]
        return channel[index[0], index[1], index[2]]

    def of0(self, values: Tensor) -> Tensor:
        """Return the values [K, ...] of the lines of image 0, from [B, L0, ...]."""
        return values[self.image, self.line0]

    def of1(self, values: Tensor) -> Tensor:
        """Return the values [K, ...] of the lines of image 1, from [B, L1, ...]."""
        return values[self.image, self.line1]


@torch.no_grad()
def candidate_mask(
    forth: Agreement, back: Agreement, similarity: Tensor, mask0: Tensor, mask1: Tensor
) -> Tensor:
    """Tell which pairs of lines may be parts of one line.

    These are the pairs of which one, carried into the other image, comes near the other, and
    those whose endpoints are among the most alike of their row or column.

    Args:
        forth: [B, 3, L0, L1], how the carried lines of image 0 lie on those of image 1.
        back: [B, 3, L1, L0], the other way round.
        similarity: [B, L0, L1], of their endpoints.
        mask0: [B, L0] bool, the real lines.
        mask1: [B, L1] bool.

    Returns:
        [B, L0, L1] bool.
    """
    real = mask0[:, :, None] & mask1[:, None]
    near = _near(forth) | _near(back).mT
    if similarity.numel() == 0:
        return real
    values = similarity.masked_fill(~real, float("-inf"))
    for dim in (1, 2):
        number = min(_NUM_ALIKE, values.shape[dim])
        lowest = values.topk(number, dim=dim).values.narrow(dim, number - 1, 1)
        near = near | (values >= lowest)
    return near & real


def _near(agreement: Agreement) -> Tensor:
    gap = torch.minimum(agreement.share, agreement.other_share)
    return ((agreement.distance < _MAX_DISTANCE) & (gap > -_MAX_GAP)).any(1)
