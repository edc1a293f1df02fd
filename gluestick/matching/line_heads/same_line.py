"""Matching lines by what they are: for each pair, how likely both are parts of one line."""

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from gluestick.matching.assignment import MutualMatches
from gluestick.matching.line_heads.candidate_pairs import LinePairs
from gluestick.matching.line_heads.endpoints import LineAssignment, NodeAssignment
from gluestick.matching.line_heads.guidance import PointMatches, point_matches
from gluestick.matching.line_heads.same_line_features import (
    NUM_SAME_LINE_FEATURES,
    describe_in_parts,
)
from gluestick.precision import AtLeastSingle, without_autocast
from gluestick.types import Wireframe
from gluestick.types.line_pairs import likely_pairs

_HIDDEN = 64
_COPY_DISTANCE = 0.5
"""px, within which both endpoints of a copy lie."""

_COPY_PENALTY = 1e-3

LEAST_PROBABILITY = 0.1
"""From which pairs are reported as parts of one line, many to many."""

_MOST_PER_LINE = 64


class ScoredPairs(NamedTuple):
    """Pairs of lines that may be parts of one line.

    Attributes:
        pairs: Which pairs, K of them.
        outputs: [K, 3], the logits of being parts of one line and of the share that both have in
            common if they are, and the score as each other's best partner.
    """

    pairs: LinePairs
    outputs: Tensor


class SameLineHead(AtLeastSingle):
    """Tells for each pair of lines how likely they are parts of one line, and how much they share.

    What is known about a pair (see :mod:`gluestick.matching.line_heads.same_line_features`) goes
    through a small network. A pair is judged by itself: fragments and copies of a line do not
    compete. Exchanging the images, or the endpoints of a line, changes nothing. All of it is
    computed in single precision at least.
    """

    def __init__(self) -> None:
        super().__init__()
        self.score = nn.Sequential(
            nn.Linear(NUM_SAME_LINE_FEATURES, _HIDDEN),
            nn.GELU(),
            nn.Linear(_HIDDEN, _HIDDEN),
            nn.GELU(),
            nn.Linear(_HIDDEN, 3),
        )

    def forward(
        self,
        wireframe0: Wireframe,
        wireframe1: Wireframe,
        nodes: NodeAssignment,
        mutual: MutualMatches | None = None,
    ) -> LineAssignment:
        """Match the lines.

        Arguments and result are those of
        :class:`gluestick.matching.line_heads.endpoints.EndpointLineHead`.
        """
        matches = point_matches(wireframe0, wireframe1, nodes.log_assignment, mutual)
        scored = self.score_pairs(wireframe0, wireframe1, nodes.endpoint_similarity, matches)
        return LineAssignment(
            one_to_one_assignment(scored, wireframe0, wireframe1), *_many_to_many(scored)
        )

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

        Raises:
            ValueError: If a wireframe was made without ``side_colors``.
        """
        with without_autocast(endpoint_similarity.device):
            dtype = next(self.parameters()).dtype
            parts = [
                ScoredPairs(part.pairs, self.score(part.features.to(dtype)))
                for part in describe_in_parts(wireframe0, wireframe1, endpoint_similarity, matches)
            ]
        return ScoredPairs(
            LinePairs.join([part.pairs for part in parts]),
            torch.cat([part.outputs for part in parts]),
        )


def one_to_one_assignment(
    scored: ScoredPairs, wireframe0: Wireframe, wireframe1: Wireframe
) -> Tensor:
    """Turn the scores of pairs into an assignment, in which copies do not compete.

    GlueStick's double softmax with a dustbin of score 0, in which each line counts as one over
    the number of its copies in its image. The r-th copy prefers the r-th copy of its partner.

    Args:
        scored: The scored pairs.
        wireframe0: The wireframes of the images 0.
        wireframe1: The wireframes of the images 1.

    Returns:
        The assignment [B, L0+1, L1+1]; pairs that cannot be the same have -inf.
    """
    rank0, number0 = _copies(wireframe0)
    rank1, number1 = _copies(wireframe1)
    shape = (*rank0.shape, rank1.shape[1])
    precision = torch.promote_types(torch.float32, scored.outputs.dtype)
    scores = scored.outputs.new_full(shape, float("-inf"), dtype=precision)
    index = scored.pairs.image, scored.pairs.line0, scored.pairs.line1
    scores = scores.index_put(index, scored.outputs[:, 2].to(precision))
    if scores.numel() == 0:
        return F.pad(scores, (0, 1, 0, 1))
    rows = _log_total(scores - number1.log()[:, None], dim=2)
    columns = _log_total(scores - number0.log()[:, :, None], dim=1)
    values = scores - (rows[:, :, None] + columns[:, None]) / 2
    apart = rank0[:, :, None] != rank1[:, None]
    assignment = F.pad(values - apart * _COPY_PENALTY, (0, 1, 0, 1))
    assignment[:, :-1, -1] = -rows
    assignment[:, -1, :-1] = -columns
    return assignment


def _many_to_many(scored: ScoredPairs) -> tuple[Tensor, Tensor, Tensor]:
    """Return the pairs that may be the same, their probabilities and their overlaps."""
    same, overlaps, _ = scored.outputs.float().sigmoid().unbind(1)
    indices = scored.pairs.indices()
    likely = likely_pairs(indices, same, threshold=LEAST_PROBABILITY, max_per_line=_MOST_PER_LINE)
    kept = likely.nonzero()[:, 0]  # one wait for the device, where a mask takes one each time
    return indices[kept], same[kept], overlaps[kept]


def _log_total(scores: Tensor, *, dim: int) -> Tensor:
    """Return the logarithm of 1, for the dustbin, plus the sum of exponentials along ``dim``."""
    return torch.logaddexp(scores.logsumexp(dim), scores.new_zeros(()))


def _copies(wireframe: Wireframe) -> tuple[Tensor, Tensor]:
    """Return how many equal lines come before each line, and how many there are: [B, L]."""
    ends, mask = wireframe.detected_lines.flatten(2), wireframe.line_mask  # [B, L, 4]
    equal = _within_copy_distance(ends, ends) | _within_copy_distance(ends, ends.roll(2, dims=2))
    equal = equal & mask[:, None] & mask[:, :, None]
    number = equal.sum(2).clamp(min=1)
    return equal.tril(-1).sum(2), number.to(ends.dtype)


def _within_copy_distance(ends: Tensor, others: Tensor) -> Tensor:
    """Tell [B, L, L] which lines [B, L, 4] have all coordinates near those of others."""
    pairs = zip(ends.unbind(2), others.unbind(2), strict=True)
    near = [(one[:, :, None] - other[:, None]).abs() < _COPY_DISTANCE for one, other in pairs]
    return near[0] & near[1] & near[2] & near[3]
