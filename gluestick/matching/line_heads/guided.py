"""Matching lines by their endpoints and by the matched points around them."""

import torch
from torch import Tensor, nn

from gluestick.matching.assignment import MutualMatches, log_double_softmax
from gluestick.matching.line_heads.endpoints import (
    LineAssignment,
    NodeAssignment,
    endpoint_line_scores,
)
from gluestick.matching.line_heads.guidance import (
    Agreement,
    CarriedLines,
    PointMatches,
    carry_lines,
    compare_segments,
    in_units,
    point_matches,
)
from gluestick.precision import AtLeastSingle, at_least_single, without_autocast
from gluestick.types import Wireframe

NUM_FEATURES = 26
_HIDDEN = 48
_SIMILARITY_SCALE, _SIMILARITY_OFFSET, _MARGIN_SCALE = 20.0, 2.0, 10.0
_SMALLEST_MARGIN = -60.0
_CLOSE = 2.0
"""A distance below which nothing is gained any more, in units of 1/640 of the longer side."""


class GuidedLineHead(AtLeastSingle):
    """Scores a pair of lines by their endpoints and by the point matches around them.

    Each line is carried into the other image by the matches around it (see
    :mod:`gluestick.matching.line_heads.guidance`), in both directions. A small network turns how
    well the carried lines agree with those found there, how much the endpoints resemble each
    other, and how far the guidance can be trusted into a score; scores go through GlueStick's
    double softmax with a dustbin of score 0. Exchanging the images, or the endpoints of the lines
    of both, changes nothing. All of it is computed in single precision at least.
    """

    def __init__(self) -> None:
        super().__init__()
        self.score = nn.Sequential(
            nn.Linear(NUM_FEATURES, _HIDDEN),
            nn.GELU(),
            nn.Linear(_HIDDEN, _HIDDEN),
            nn.GELU(),
            nn.Linear(_HIDDEN, 1),
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
        return LineAssignment(
            self.match(wireframe0, wireframe1, nodes.endpoint_similarity, matches)
        )

    def match(
        self,
        wireframe0: Wireframe,
        wireframe1: Wireframe,
        endpoint_similarity: Tensor,
        matches: PointMatches,
    ) -> Tensor:
        """Match the lines by given matches of points.

        Arguments are those of :func:`line_pair_features`.

        Returns:
            The assignment [B, L0+1, L1+1] between the lines.
        """
        with without_autocast(endpoint_similarity.device):
            features = line_pair_features(
                wireframe0, wireframe1, at_least_single(endpoint_similarity), matches
            )
            dtype = next(self.parameters()).dtype
            scores = self.score(features.to(dtype)).squeeze(-1)
        return log_double_softmax(
            scores, scores.new_zeros(()), wireframe0.line_mask, wireframe1.line_mask
        )


def line_pair_features(
    wireframe0: Wireframe,
    wireframe1: Wireframe,
    endpoint_similarity: Tensor,
    matches: PointMatches,
) -> Tensor:
    """Describe each pair of lines by numbers of the order of 1.

    Args:
        wireframe0: The wireframes of the images 0.
        wireframe1: The wireframes of the images 1.
        endpoint_similarity: [B, J0, J1], between their junctions. Gradients reach nothing else.
        matches: The matches that guide the lines.

    Returns:
        [B, L0, L1, 26].
    """
    similarity = endpoint_line_scores(
        endpoint_similarity, wireframe0.line_junctions, wireframe1.line_junctions
    )
    resemblance = resemblance_channels(similarity, wireframe0.line_mask, wireframe1.line_mask)
    with torch.no_grad(), without_autocast(similarity.device):
        lines0 = in_units(wireframe0.detected_lines, wireframe0)
        lines1 = in_units(wireframe1.detected_lines, wireframe1)
        carried0 = carry_lines(lines0, matches)
        carried1 = carry_lines(lines1, matches.swapped())
        forth = compare_segments(carried0.lines, lines1[:, None])  # [B, 3, L0, L1]
        back = compare_segments(carried1.lines, lines0[:, None])  # [B, 3, L1, L0]
        guidance = [*agreement_channels(forth, back), *trust_channels(carried0, carried1)]
    expanded = (value.expand_as(similarity).to(similarity) for value in (*resemblance, *guidance))
    return torch.stack([*expanded], dim=-1)


def resemblance_channels(similarity: Tensor, mask0: Tensor, mask1: Tensor) -> list[Tensor]:
    """Return the similarity of the endpoints, and its margins to the best of row and column."""
    best0, best1 = best_similarities(similarity, mask0, mask1)
    return compare_with_best(similarity, best0[:, :, None], best1[:, None])


def best_similarities(similarity: Tensor, mask0: Tensor, mask1: Tensor) -> tuple[Tensor, Tensor]:
    """Return the best of [B, L0, L1] for each line, [B, L0] and [B, L1]; 0 if there is no pair."""
    if similarity.numel() == 0:
        return similarity.new_zeros(mask0.shape), similarity.new_zeros(mask1.shape)
    lowest = torch.finfo(similarity.dtype).min
    real = similarity.masked_fill(~(mask0[:, :, None] & mask1[:, None]), lowest)
    return real.amax(2), real.amax(1)


def compare_with_best(similarity: Tensor, best0: Tensor, best1: Tensor) -> list[Tensor]:
    """Return scaled similarities, and their ordered margins to the best of both lines."""
    margins = [
        (similarity - best).clamp(_SMALLEST_MARGIN, 0.0) / _MARGIN_SCALE for best in (best1, best0)
    ]
    scaled = similarity / _SIMILARITY_SCALE - _SIMILARITY_OFFSET
    return [scaled, *ordered(*margins)]


def agreement_channels(forth: Agreement, back: Agreement) -> list[Tensor]:
    """Return how well lines agree: by all neighbours, by one side, and by the best of these."""
    log0, log1 = _log(forth.distance), _log(back.distance.mT)  # [B, 3, L0, L1]
    distance = (forth.distance + back.distance.mT).amin(1) / 2
    share0 = (forth.share + back.other_share.mT).clamp(-2, 2) / 2
    share1 = (forth.other_share + back.share.mT).clamp(-2, 2) / 2
    smaller, larger = ordered(share0, share1)
    return [
        *ordered(log0[:, 0], log1[:, 0]),
        *ordered(log0[:, 1:].amin(1), log1[:, 1:].amin(1)),
        *ordered(log0[:, 1:].amax(1), log1[:, 1:].amax(1)),
        smaller[:, 0],
        larger[:, 0],
        smaller[:, 1:].amax(1),
        larger[:, 1:].amax(1),
        _log(distance),
        _log((distance / _CLOSE) ** 2),
        smaller.amax(1),
    ]


def trust_channels(carried0: CarriedLines, carried1: CarriedLines) -> list[Tensor]:
    """Return how many matches guide the lines, and how well these agree among themselves."""
    kinds = zip(trust_of_lines(carried0), trust_of_lines(carried1), strict=True)
    return [
        value for first, second in kinds for value in ordered(first[:, :, None], second[:, None])
    ]


def trust_of_lines(carried: CarriedLines) -> list[Tensor]:
    """Return the five numbers [B, L] of which :func:`trust_channels` consists."""
    support, spread = carried.support / 2 - 1, _log(carried.spread)  # [B, 3, L]
    return [
        support[:, 0],
        support[:, 1:].amax(1),
        support[:, 1:].amin(1),
        spread[:, 0],
        spread[:, 1:].amin(1),
    ]


def ordered(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return the smaller and the larger of two values, whichever comes first."""
    return torch.minimum(first, second), torch.maximum(first, second)


def _log(values: Tensor) -> Tensor:
    return torch.log1p(values) - 1
