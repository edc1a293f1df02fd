"""Matching lines by what they are: for each pair, how likely both are parts of one line."""

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from gluestick.matching.line_heads.candidate_pairs import LinePairs
from gluestick.matching.line_heads.endpoints import NodeAssignment
from gluestick.matching.line_heads.guidance import PointMatches, point_matches
from gluestick.matching.line_heads.same_line_features import (
    NUM_SAME_LINE_FEATURES,
    same_line_features,
)
from gluestick.types import Wireframe

_HIDDEN = 64
_TINY = 1e-6


class ScoredPairs(NamedTuple):
    """Pairs of lines that may be parts of one line.

    Attributes:
        pairs: Which pairs, K of them.
        logits: [K], of being parts of one line.
        overlap_logits: [K], of the share that both have in common, if they are.
    """

    pairs: LinePairs
    logits: Tensor
    overlap_logits: Tensor


class SameLineHead(nn.Module):
    """Tells for each pair of lines how likely they are parts of one line, and how much they share.

    What is known about a pair (see :mod:`gluestick.matching.line_heads.same_line_features`) goes
    through a small network. A pair is judged by itself: fragments and copies of a line do not
    compete. Exchanging the images, or the endpoints of a line, changes nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.score = nn.Sequential(
            nn.Linear(NUM_SAME_LINE_FEATURES, _HIDDEN),
            nn.GELU(),
            nn.Linear(_HIDDEN, _HIDDEN),
            nn.GELU(),
            nn.Linear(_HIDDEN, 2),
        )

    def forward(
        self, wireframe0: Wireframe, wireframe1: Wireframe, nodes: NodeAssignment
    ) -> Tensor:
        """Match the lines.

        Arguments and result are those of
        :class:`gluestick.matching.line_heads.endpoints.EndpointLineHead`.
        """
        matches = point_matches(wireframe0, wireframe1, nodes.log_assignment)
        scored = self.score_pairs(wireframe0, wireframe1, nodes.endpoint_similarity, matches)
        return one_to_one_assignment(scored, wireframe0.line_mask, wireframe1.line_mask)

    def score_pairs(
        self,
        wireframe0: Wireframe,
        wireframe1: Wireframe,
        endpoint_similarity: Tensor,
        matches: PointMatches,
    ) -> ScoredPairs:
        """Score the pairs of lines that may be parts of one line.

        Args:
            wireframe0: The wireframes of the images 0.
            wireframe1: The wireframes of the images 1.
            endpoint_similarity: [B, J0, J1], between their junctions.
            matches: The matches that guide the lines.
        """
        pairs, features = same_line_features(wireframe0, wireframe1, endpoint_similarity, matches)
        logits, overlap_logits = self.score(features).unbind(-1)
        return ScoredPairs(pairs, logits, overlap_logits)


def one_to_one_assignment(scored: ScoredPairs, mask0: Tensor, mask1: Tensor) -> Tensor:
    """Turn the scores of pairs into an assignment in which the best partners stand out.

    A pair's value is its probability of being parts of one line, times how much both have in
    common relative to the best other partner of either line.

    Args:
        scored: The scored pairs.
        mask0: [B, L0] bool, the real lines.
        mask1: [B, L1] bool.

    Returns:
        The assignment [B, L0+1, L1+1]; pairs that cannot be the same have -inf.
    """
    shape = (*mask0.shape, mask1.shape[1])
    probability = scored.logits.float().sigmoid()
    shared = probability * scored.overlap_logits.float().sigmoid()
    index = scored.pairs.image, scored.pairs.line0, scored.pairs.line1
    dense = shared.new_zeros(shape).index_put(index, shared)
    if dense.numel() == 0:
        return F.pad(dense, (0, 1, 0, 1))
    best0, best1 = dense.amax(2, keepdim=True), dense.amax(1, keepdim=True)
    best = torch.maximum(scored.pairs.take(best0), scored.pairs.take(best1))
    value = probability * shared / best.clamp(min=_TINY)
    values = value.new_zeros(shape).index_put(index, value)
    assignment = F.pad(values.log(), (0, 1, 0, 1))
    assignment[:, :-1, -1] = torch.log1p(-values.amax(2).clamp(max=1 - _TINY))
    assignment[:, -1, :-1] = torch.log1p(-values.amax(1).clamp(max=1 - _TINY))
    return assignment
