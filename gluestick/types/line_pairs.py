"""Choosing among pairs, of which each line may have many."""

import torch
from torch import Tensor

LIKELY = 0.5
"""The probability from which two lines are rather parts of one line than not."""


def best_of_each(groups: Tensor, values: Tensor, *, number: int) -> Tensor:
    """Choose the members of each group with the highest values.

    Args:
        groups: [S] int64, the group of each member.
        values: [S]; of equal ones the first come first.
        number: How many of each group are chosen, if there are as many.

    Returns:
        [S] bool.
    """
    return _first_of_each(groups, values.argsort(descending=True, stable=True), number=number)


def _first_of_each(groups: Tensor, order: Tensor, *, number: int) -> Tensor:
    """Choose the members of each group that come first in an order [S]: [S] bool."""
    order = order[groups[order].argsort(stable=True)]
    ordered = groups[order]
    place = torch.arange(len(order), device=order.device) - torch.searchsorted(ordered, ordered)
    return torch.zeros_like(groups, dtype=torch.bool).scatter(0, order, place < number)


def likely_pairs(
    indices: Tensor, probabilities: Tensor, *, threshold: float, max_per_line: int | None
) -> Tensor:
    """Choose the pairs of lines that are likely enough, and among the best of both their lines.

    Args:
        indices: [S, 3] int64, the pair of images and the lines of its images 0 and 1.
        probabilities: [S].
        threshold: The least probability.
        max_per_line: A pair is chosen if less than this many others of its line in image 0 are
            more likely, and of its line in image 1 as well; None for any number.

    Returns:
        [S] bool.
    """
    chosen = probabilities >= threshold
    if max_per_line is None or len(indices) == 0:
        return chosen
    order = probabilities.argsort(descending=True, stable=True)
    for line in (1, 2):
        group = indices[:, 0] * (indices[:, line].max() + 1) + indices[:, line]
        chosen = chosen & _first_of_each(group, order, number=max_per_line)
    return chosen
