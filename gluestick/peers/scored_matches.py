"""From scores between keypoints to matches, for matchers that know nothing of junctions."""

from dataclasses import replace

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from gluestick.matching.assignment import to_matches
from gluestick.types import Matches, Wireframe


def keypoint_nodes(wireframe: Wireframe) -> Tensor:
    """Return which nodes are keypoints, neither junctions nor padding, [B, P] bool."""
    return wireframe.keypoint_mask & ~wireframe.junction_mask


def log_assignment_of(scores: Tensor, mask0: Tensor, mask1: Tensor) -> Tensor:
    """Read scores as probabilities of matches.

    Args:
        scores: [B, M, N] in [0, 1].
        mask0: [B, M] bool, the rows that can be matched.
        mask1: [B, N] bool, the columns that can be matched.

    Returns:
        The assignment [B, M+1, N+1]: the logarithms of the scores, -inf where a pair is
        impossible, and for staying unmatched the logarithm of one minus the best score.
    """
    impossible = ~(mask0[:, :, None] & mask1[:, None])
    pairs = scores.log().masked_fill(impossible, float("-inf"))
    assignment = F.pad(pairs, (0, 1, 0, 1), value=float("-inf"))
    unmatched0 = torch.log1p(-assignment.amax(2).exp())  # [B, M+1]
    unmatched1 = torch.log1p(-assignment.amax(1).exp())  # [B, N+1]
    assignment[:, :, -1] = unmatched0
    assignment[:, -1] = unmatched1
    return assignment


def keypoint_matches(
    wireframe0: Wireframe,
    wireframe1: Wireframe,
    log_assignment: Tensor,
    *,
    threshold: float,
    line_log_assignment: Tensor | None = None,
) -> Matches:
    """Match keypoints, and lines if they have been compared; junctions stay unmatched.

    Args:
        wireframe0: The wireframes of the images 0.
        wireframe1: The wireframes of the images 1.
        log_assignment: [B, P0+1, P1+1], with -inf for every pair with a junction.
        threshold: The probability that a match of keypoints must exceed.
        line_log_assignment: [B, L0+1, L1+1], or None to leave lines unmatched; mutually best
            lines match whatever their probability.

    Returns:
        The matches.
    """
    if line_log_assignment is None:
        line_log_assignment = no_assignment(
            log_assignment, wireframe0.line_mask.shape[1], wireframe1.line_mask.shape[1]
        )
    matches = to_matches(
        log_assignment, line_log_assignment, threshold=threshold, line_threshold=0.0
    )
    return replace(
        matches,
        junction_matches0=torch.full_like(matches.matches0, -1),
        junction_matches1=torch.full_like(matches.matches1, -1),
        junction_matching_scores0=torch.zeros_like(matches.matching_scores0),
        junction_matching_scores1=torch.zeros_like(matches.matching_scores1),
    )


def no_assignment(like: Tensor, num_rows: int, num_columns: int) -> Tensor:
    """Return an assignment in which nothing can be matched.

    Args:
        like: [B, ...], gives the batch size, the type and the device.
        num_rows: M.
        num_columns: N.

    Returns:
        [B, M+1, N+1], -inf for every pair and 0 for staying unmatched.
    """
    pairs = like.new_full((len(like), num_rows, num_columns), float("-inf"))
    return F.pad(pairs, (0, 1, 0, 1))
