"""The loss of what is said about pairs of lines."""

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor


class PairTruth(NamedTuple):
    """The truth about K pairs of lines of several pairs of images.

    Attributes:
        same: [K] bool, parts of one line.
        overlap: [K] in [0, 1], how much both have in common, where they are.
        partner: [K] bool, the best partners, at most one for each line.
        weight: [K], how many pairs of lines each stands for; 0 for what is not known.
        image: [K] int64, the pair of images.
        line0: [K] int64, the line of image 0.
        line1: [K] int64, the line of image 1.
    """

    same: Tensor
    overlap: Tensor
    partner: Tensor
    weight: Tensor
    image: Tensor
    line0: Tensor
    line1: Tensor


def same_line_loss(
    outputs: Tensor,
    truth: PairTruth,
    *,
    overlap_weight: float = 0.5,
    partner_weight: float = 0.3,
) -> dict[str, Tensor]:
    """Return the losses of what a head says about pairs of lines.

    Args:
        outputs: [K, 3], the logits of being parts of one line and of the share that both have in
            common, and the score as a partner.
        truth: The truth about these pairs.
        overlap_weight: The weight of the second.
        partner_weight: The weight of the third.

    Returns:
        ``loss``, the weighted sum, and its parts: ``same``, the mean binary cross-entropy, in
        which each pair of lines is judged by itself; ``overlap``, the same for the overlaps of
        same lines; ``partner``, the negative log-likelihood of :func:`partner_loss`. All are 0
        where nothing counts.
    """
    logits, overlap_logits, scores = outputs.float().unbind(-1)
    weight = truth.weight.to(logits.dtype)
    number = weight.sum().clamp(min=1)
    costs = F.binary_cross_entropy_with_logits(logits, truth.same.float(), reduction="none")
    same = torch.where(weight > 0, costs * weight, 0).sum() / number
    overlap = truth.overlap.to(logits.dtype)
    errors = F.binary_cross_entropy_with_logits(overlap_logits, overlap, reduction="none")
    counted = truth.same & (weight > 0)
    shared = torch.where(counted, errors, 0).sum() / counted.sum().clamp(min=1)
    partner = partner_loss(scores, truth)
    # Same lines are some 3% of the pairs, so their losses are brought to the size of the first.
    loss = same + 0.1 * (overlap_weight * shared + partner_weight * partner)
    return {"loss": loss, "same": same, "overlap": shared, "partner": partner}


def partner_loss(scores: Tensor, truth: PairTruth) -> Tensor:
    """Return the negative log-likelihood of the best partners in a double softmax.

    As in GlueStick (arXiv 2304.02008): log-softmaxes over rows and columns, each with a dustbin
    of score 0, are averaged; matched and unmatched lines have the same weight whatever their
    numbers.

    Args:
        scores: [K].
        truth: The truth about these pairs of lines.

    Returns:
        [], 0 where there is nothing.
    """
    if len(scores) == 0:
        return scores.sum()
    known = truth.weight > 0
    weighted = scores + truth.weight.float().clamp(min=1e-9).log()
    weighted = weighted.masked_fill(~known, float("-inf"))
    matched = torch.zeros_like(scores)
    unmatched = []
    for line in (truth.line0, truth.line1):
        number = int(line.max()) + 1
        group = truth.image.long() * number + line.long()
        size = int(group.max()) + 1
        total = _log_sum_exp_with_dustbin(weighted, group, size)
        matched = matched + 0.5 * (scores - total[group])
        has_partner = _any(truth.partner & known, group, size)
        alone = _any(known, group, size) & ~has_partner
        unmatched.append(-total[alone])
    counted = matched[truth.partner & known]
    parts = [part for part in (counted, torch.cat(unmatched)) if len(part)]
    return -sum((part.mean() for part in parts), scores.sum() * 0) / 2


def _log_sum_exp_with_dustbin(values: Tensor, group: Tensor, size: int) -> Tensor:
    """[size], the logarithm of 1 plus the sum of the exponentials of each group."""
    largest = values.new_zeros(size)
    largest = largest.scatter_reduce(0, group, values.detach(), "amax")  # at least 0, the dustbin
    total = torch.exp(-largest).index_add(0, group, torch.exp(values - largest[group]))
    return largest + total.log()


def _any(values: Tensor, group: Tensor, size: int) -> Tensor:
    counts = torch.zeros(size, dtype=torch.int32, device=values.device)
    return counts.index_add(0, group, values.int()) > 0
