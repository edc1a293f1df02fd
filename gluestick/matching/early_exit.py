"""Which pairs of a batch need no further layer, and which keypoints no further thought.

LightGlue's adaptive depth and width (arXiv 2306.13643), for batches: every pair stops and
drops keypoints as it would alone.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gluestick.matching.assignment import mutual_matches
from gluestick.matching.lightgluestick_config import LightGlueStickConfig
from gluestick.matching.line_heads.endpoints import NodeAssignment
from gluestick.matching.tokens import Tokens
from gluestick.precision import AtLeastSingle, at_least_single, without_autocast


class TokenConfidence(AtLeastSingle):
    """Predicts whether the match of a node at this layer is final, in single precision.

    Args:
        descriptor_dim: The number of channels C.
    """

    def __init__(self, descriptor_dim: int) -> None:
        super().__init__()
        self.token = nn.Sequential(nn.Linear(descriptor_dim, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits [B, S] of nodes [B, S, C]; no gradient flows into the nodes."""
        with without_autocast(x.device):
            return self.token[0](at_least_single(x.detach())).squeeze(-1)


def confidence_threshold(layer: int, num_layers: int) -> float:
    """Return the confidence in [0, 1] from which a node counts as confident at a layer."""
    return 0.8 + 0.1 * math.exp(-4.0 * layer / num_layers)


def deciding_slots(tokens: Tokens, *, one_way: bool) -> slice:
    """Return the slots that decide: keypoints only where junctions attend one way."""
    return slice(tokens.num_junctions if one_way else 0, None)


def pairs_to_stop(
    unsure0: Tensor, unsure1: Tensor, num_deciding: Tensor, *, depth_confidence: float
) -> Tensor:
    """Choose the pairs whose matches are final.

    Args:
        unsure0: [B, S0] bool, the deciding nodes of image 0 that are not yet confident.
        unsure1: [B, S1] bool.
        num_deciding: [B], the number of deciding nodes in both images before any was
            dropped; a dropped one counts as confident.
        depth_confidence: The share of confident nodes that must be exceeded.

    Returns:
        [B] bool; False for a pair without deciding nodes.
    """
    share = 1 - (unsure0.sum(1) + unsure1.sum(1)) / num_deciding.clamp(min=1)
    return (share > depth_confidence) & (num_deciding > 0)


def share_found(log_assignment: Tensor, *, threshold: float) -> Tensor:
    """Return how much of the matches to be expected was found.

    A node counts as sure of its match long before it is right where photographs hardly resemble
    each other: many nodes are then likely to have a match, and the matches found are few, or of
    low probability.

    Args:
        log_assignment: [B, M+1, N+1] between the deciding nodes.
        threshold: The probability that a match must exceed.

    Returns:
        [B], the sum of the probabilities of the matches, over that of the nodes having a match in
        the image where it is less; 1 where none is to be expected.
    """
    matches = mutual_matches(log_assignment, threshold=threshold)
    found = matches.scores0.where(matches.matches0 > -1, 0).sum(1)
    expected = torch.minimum(
        (1 - log_assignment[:, :-1, -1].exp()).sum(1), (1 - log_assignment[:, -1, :-1].exp()).sum(1)
    )
    return torch.where(expected > 0, found / expected, 1.0)


def keypoints_to_keep(
    matchability: Tensor, confidence: Tensor | None, *, width_confidence: float, threshold: float
) -> Tensor:
    """Choose the keypoints that may still have a match.

    Args:
        matchability: [B, S] in [0, 1].
        confidence: [B, S] in [0, 1], or None where it is not used; a keypoint that is not
            confident always stays.
        width_confidence: A keypoint with a matchability above one minus this stays.
        threshold: The confidence above which a keypoint counts as confident.

    Returns:
        [B, S] bool.
    """
    keep = matchability > 1 - width_confidence
    return keep if confidence is None else keep | (confidence <= threshold)


def restore_order(chunks: Sequence[tuple[Tensor, tuple[Tensor, ...]]]) -> tuple[Tensor, ...]:
    """Put the results of pairs that stopped at different layers into the batch's order.

    Args:
        chunks: Per stop the indices [b] of the pairs and their results [b, ...].

    Returns:
        The results [B, ...].
    """
    order = torch.argsort(torch.cat([pairs for pairs, _ in chunks]))
    columns = zip(*(results for _, results in chunks), strict=True)
    return tuple(torch.cat(column)[order] for column in columns)


def like_last_layer(
    nodes: NodeAssignment, layer: int, config: LightGlueStickConfig
) -> NodeAssignment:
    """Make the similarities of endpoints at a layer like those of the last layer."""
    similarity = nodes.endpoint_similarity
    if config.similarity_scales is not None:
        similarity = similarity * config.similarity_scales[layer]
    if config.similarity_shifts is not None:
        similarity = similarity + config.similarity_shifts[layer]
    return nodes._replace(endpoint_similarity=similarity)
