"""Whether two segments have the same colours on the same sides."""

import torch
from torch import Tensor

NUM_APPEARANCE_FEATURES = 5
_TINY = 1e-6


def appearance_channels(colors0: Tensor, colors1: Tensor, same_direction: Tensor) -> list[Tensor]:
    """Compare the colours on both sides of pairs of segments.

    Args:
        colors0: [2, C, K], on the left and on the right of the segments of image 0.
        colors1: [2, C, K], of image 1.
        same_direction: [K], 1 where both segments run the same way, -1 where they do not, so
            that left and right change places.

    Returns:
        Five numbers [K]: how far the steps from the left to the right agree, from -1 to 1; the
        distance between the colours of the side that looks more alike in both images, and that
        of the other; the smaller step, and how different the steps are in size.
    """
    colors1 = torch.where(same_direction > 0, colors1, colors1.flip(0))
    step0, step1 = colors0[0] - colors0[1], colors1[0] - colors1[1]
    size0, size1 = (step.square().sum(0).sqrt() for step in (step0, step1))
    apart = (colors0 - colors1).abs().mean(1)  # [2, K]
    return [
        (step0 * step1).sum(0) / (size0 * size1).clamp(min=_TINY),
        apart.amin(0).log1p(),
        apart.amax(0).log1p(),
        torch.minimum(size0, size1).log1p() - 1,
        (size0.log1p() - size1.log1p()).abs(),
    ]
