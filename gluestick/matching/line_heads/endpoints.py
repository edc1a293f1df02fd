"""From what is known about the points to an assignment between lines."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from gluestick.matching.assignment import MutualMatches, sigmoid_log_double_softmax
from gluestick.types import Wireframe


class NodeAssignment(NamedTuple):
    """What a network knows about the nodes of a batch of pairs.

    Attributes:
        log_assignment: [B, P0+1, P1+1], the assignment between the nodes.
        endpoint_similarity: [B, J0, J1], between the junctions as endpoints of lines.
        endpoint_matchability0: [B, J0], the logits of having a match.
        endpoint_matchability1: [B, J1].
    """

    log_assignment: Tensor
    endpoint_similarity: Tensor
    endpoint_matchability0: Tensor
    endpoint_matchability1: Tensor


class LineAssignment(NamedTuple):
    """What a line head says about the lines of a batch of pairs.

    Attributes:
        log_assignment: [B, L0+1, L1+1], the assignment between the lines.
        pair_indices: [S, 3] int64, pairs that may be parts of one line, many to many: the pair
            of images and the lines of its images 0 and 1; None for heads that do not judge them.
        pair_probabilities: [S], how likely they are.
        pair_overlaps: [S] in [0, 1], the share that they have in common if they are.
    """

    log_assignment: Tensor
    pair_indices: Tensor | None = None
    pair_probabilities: Tensor | None = None
    pair_overlaps: Tensor | None = None


class EndpointLineHead(nn.Module):
    """Matches lines by their endpoints alone (LightGlueStick, arXiv 2510.16438)."""

    def forward(
        self,
        wireframe0: Wireframe,
        wireframe1: Wireframe,
        nodes: NodeAssignment,
        mutual: MutualMatches | None = None,
    ) -> LineAssignment:
        """Match the lines.

        Args:
            wireframe0: The wireframes of the images 0, with the lines to match.
            wireframe1: The wireframes of the images 1.
            nodes: What is known about their nodes.
            mutual: The matches of the nodes with a threshold of 0, for heads that look at them
                and would find them again.
        """
        scores = endpoint_line_scores(
            nodes.endpoint_similarity, wireframe0.line_junctions, wireframe1.line_junctions
        )
        assignment = sigmoid_log_double_softmax(
            scores,
            _mean_over_endpoints(nodes.endpoint_matchability0, wireframe0.line_junctions),
            _mean_over_endpoints(nodes.endpoint_matchability1, wireframe1.line_junctions),
            wireframe0.line_mask,
            wireframe1.line_mask,
        )
        return LineAssignment(assignment)


def endpoint_line_scores(
    similarity: Tensor, line_junctions0: Tensor, line_junctions1: Tensor
) -> Tensor:
    """Score pairs of lines by the better of both ways to pair their endpoints.

    Args:
        similarity: [B, J0, J1], between the junctions.
        line_junctions0: [B, L0, 2] int64, indices below J0.
        line_junctions1: [B, L1, 2] int64, indices below J1.

    Returns:
        [B, L0, L1], half the sum of the similarities of the paired endpoints.
    """
    num_lines0, num_lines1 = line_junctions0.shape[1], line_junctions1.shape[1]
    if 0 in similarity.shape[1:]:
        return similarity.new_zeros(len(similarity), num_lines0, num_lines1)
    index0 = line_junctions0.mT.flatten(1)[:, :, None]  # [B, 2 * L0, 1]
    index1 = line_junctions1.mT.flatten(1)[:, None]  # [B, 1, 2 * L1]
    endpoints = similarity.gather(1, index0.expand(-1, -1, similarity.shape[2]))
    endpoints = endpoints.gather(2, index1.expand(-1, endpoints.shape[1], -1))
    pairs = endpoints.view(-1, 2, num_lines0, 2, num_lines1)
    same = pairs[:, 0, :, 0] + pairs[:, 1, :, 1]
    swapped = pairs[:, 0, :, 1] + pairs[:, 1, :, 0]
    return 0.5 * torch.maximum(same, swapped)


def _mean_over_endpoints(values: Tensor, line_junctions: Tensor) -> Tensor:
    """Average junction values [B, J] over the endpoints of each line, [B, L]."""
    if values.shape[1] == 0:
        return values.new_zeros(line_junctions.shape[:2])
    return values.gather(1, line_junctions.flatten(1)).view(line_junctions.shape).mean(2)
