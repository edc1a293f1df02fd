"""The loss of a probability for each pair of lines."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor


def same_line_loss(
    logits: Tensor,
    overlap_logits: Tensor,
    same: Tensor,
    overlap: Tensor,
    weight: Tensor,
    *,
    overlap_weight: float = 0.5,
) -> Tensor:
    """Return the mean binary cross-entropy of pairs of lines, and that of their overlap.

    Each pair of lines is judged by itself, so that a line may be the same as many.

    Args:
        logits: [K], of being parts of one line.
        overlap_logits: [K], of how much of both is the same.
        same: [K] bool, the truth.
        overlap: [K] in [0, 1], the true overlap, which counts where ``same`` is True.
        weight: [K], how many pairs each stands for; 0 for what is not known.
        overlap_weight: The weight of the second part.

    Returns:
        [], 0 where nothing counts.
    """
    weight = weight.to(logits.dtype)
    number = weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)
    costs = F.binary_cross_entropy_with_logits(logits, same.to(logits.dtype), reduction="none")
    errors = F.binary_cross_entropy_with_logits(overlap_logits, overlap, reduction="none")
    costs = costs + overlap_weight * torch.where(same, errors, 0)
    return torch.where(weight > 0, costs * weight, 0).sum() / number
