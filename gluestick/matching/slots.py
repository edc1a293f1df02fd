"""Matching the tokens of two batches of images, slot by slot."""

from torch import Tensor

from gluestick.matching.assignment import (
    MatchAssignment,
    block_diagonal,
    sigmoid_log_double_softmax,
)
from gluestick.matching.line_heads.endpoints import NodeAssignment
from gluestick.matching.tokens import Tokens, to_nodes
from gluestick.precision import at_least_single, without_autocast
from gluestick.types import Wireframe


def assign_slots(
    head: MatchAssignment, tokens0: Tokens, tokens1: Tokens, *, one_way: bool
) -> NodeAssignment:
    """Match the slots of tokens with the heads of one layer, in single precision.

    Args:
        head: The heads.
        tokens0: The tokens of the images 0, S0 slots.
        tokens1: The tokens of the images 1, S1 slots.
        one_way: Whether junctions and keypoints are matched apart.

    Returns:
        What is known about the slots; ``log_assignment`` is [B, S0+1, S1+1].
    """
    with without_autocast(tokens0.x.device):
        return _assign_precisely(head, tokens0, tokens1, one_way=one_way)


def _assign_precisely(
    head: MatchAssignment, tokens0: Tokens, tokens1: Tokens, *, one_way: bool
) -> NodeAssignment:
    junctions0, junctions1 = tokens0.num_junctions, tokens1.num_junctions
    (x0, matchability0), (x1, matchability1) = head.project(tokens0.x), head.project(tokens1.x)

    def between(slots0: slice, slots1: slice) -> Tensor:
        return sigmoid_log_double_softmax(
            x0[:, slots0] @ x1[:, slots1].mT,
            matchability0[:, slots0],
            matchability1[:, slots1],
            None if tokens0.mask is None else tokens0.mask[:, slots0],
            None if tokens1.mask is None else tokens1.mask[:, slots1],
        )

    if one_way and junctions0 + junctions1 > 0:
        assignment = block_diagonal(
            between(slice(junctions0), slice(junctions1)),
            between(slice(junctions0, None), slice(junctions1, None)),
        )
    else:
        assignment = between(slice(None), slice(None))
    endpoints0, endpoint_matchability0 = head.project_endpoints(tokens0.x[:, :junctions0])
    endpoints1, endpoint_matchability1 = head.project_endpoints(tokens1.x[:, :junctions1])
    return NodeAssignment(
        log_assignment=assignment,
        endpoint_similarity=endpoints0 @ endpoints1.mT,
        endpoint_matchability0=endpoint_matchability0,
        endpoint_matchability1=endpoint_matchability1,
    )


def of_nodes(
    slots: NodeAssignment, tokens0: Tokens, tokens1: Tokens, shape: tuple[int, int]
) -> NodeAssignment:
    """Say of the nodes, P0 and P1 as ``shape`` tells, what is known about the slots."""
    assignment = to_nodes(slots.log_assignment, tokens0, tokens1, shape=shape)
    return slots._replace(log_assignment=assignment)


def compare_descriptors(
    nodes: NodeAssignment,
    wireframe0: Wireframe,
    wireframe1: Wireframe,
    *,
    scale: float,
    shift: float,
) -> NodeAssignment:
    """Compare the junctions by their descriptors where the network did not see them.

    Args:
        nodes: What is known about the nodes, in which junctions have no partner.
        wireframe0: The wireframes of the images 0.
        wireframe1: The wireframes of the images 1.
        scale: By what the products of descriptors are multiplied.
        shift: What is added then.

    Returns:
        The same, with the similarities of J0 and J1 junctions; they say nothing of whether a
        junction has a match.
    """
    described0, described1 = (
        at_least_single(side.descriptors[:, : int(side.num_junctions.max())])
        for side in (wireframe0, wireframe1)
    )
    with without_autocast(described0.device):
        similarity = scale * (described0 @ described1.mT) + shift
    return nodes._replace(
        endpoint_similarity=similarity,
        endpoint_matchability0=similarity.new_zeros(described0.shape[:2]),
        endpoint_matchability1=similarity.new_zeros(described1.shape[:2]),
    )
