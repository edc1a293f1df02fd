"""How right probabilities are."""

import torch
from torch import Tensor


def average_precision(scores: Tensor, true: Tensor, weight: Tensor) -> float:
    """Return the area below the precision-recall curve of weighted examples, all [K]."""
    order = scores.argsort(descending=True)
    right = (true * weight)[order].double().cumsum(0)
    precision = right / weight[order].double().cumsum(0).clamp(min=1e-9)
    best = precision.flip(0).cummax(0).values.flip(0)
    gained = (true * weight)[order].double()
    return float((best * gained).sum() / gained.sum().clamp(min=1e-9))


def calibration_error(
    probabilities: Tensor, true: Tensor, weight: Tensor, *, num_bins: int = 15, least: float = 0.02
) -> float:
    """Return the expected calibration error of weighted examples, all [K].

    The mean difference between the probability and the share of what is true, over bins of equal
    width, weighted by how much falls into each. Examples below ``least`` are left out: nearly all
    pairs of lines are certainly different, which would hide any error among the others.
    """
    counted = probabilities >= least
    probabilities, true, weight = (
        value[counted].double() for value in (probabilities, true, weight)
    )
    bins = (probabilities * num_bins).long().clamp(max=num_bins - 1)

    def total(values: Tensor) -> Tensor:
        sums = torch.zeros(num_bins, dtype=torch.float64, device=values.device)
        return sums.index_add(0, bins, values * weight)

    gap = (total(probabilities) - total(true)).abs().sum()
    return float(gap / weight.sum().clamp(min=1e-9))
