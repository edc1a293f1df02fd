"""Losses of assignments between the lines of two images."""

import torch
from torch import Tensor

from gluestick.supervision.rules import UNMATCHED, TrueMatches


def line_assignment_loss(log_assignment: Tensor, truth: TrueMatches) -> Tensor:
    """Return the mean negative log-likelihood of true matches plus that of unmatched lines.

    As in GlueStick (arXiv 2304.02008), both kinds have the same weight whatever their numbers.

    Args:
        log_assignment: [B, L0+1, L1+1].
        truth: The true matches; ignored lines have no influence.

    Returns:
        [], 0 where all lines are ignored.
    """
    image, row = torch.nonzero(truth.matches0 > -1, as_tuple=True)
    matched = log_assignment[image, row, truth.matches0[image, row]]
    unmatched = torch.cat(
        [
            log_assignment[:, :-1, -1][truth.matches0 == UNMATCHED],
            log_assignment[:, -1, :-1][truth.matches1 == UNMATCHED],
        ]
    )
    return -sum((part.mean() for part in (matched, unmatched) if len(part)), matched.sum() * 0)
