from dataclasses import replace

import pytest
import torch
from matching.wireframes import make_wireframe, matching_pair

from gluestick.matching.line_heads.endpoints import NodeAssignment
from gluestick.matching.line_heads.guidance import PointMatches, in_units
from gluestick.matching.line_heads.guided import NUM_FEATURES, GuidedLineHead, line_pair_features
from gluestick.types import Wireframe
from gluestick.wireframe import stack_wireframes


def nodes_between(wireframe0: Wireframe, wireframe1: Wireframe) -> NodeAssignment:
    """Return what a network would know that compares descriptors."""
    similarity = 20 * wireframe0.descriptors @ wireframe1.descriptors.mT
    assignment = torch.zeros(1, similarity.shape[1] + 1, similarity.shape[2] + 1)
    if similarity.numel():
        assignment[:, :-1, :-1] = similarity.log_softmax(1) + similarity.log_softmax(2)
    junctions = [int(wireframe.num_junctions[0]) for wireframe in (wireframe0, wireframe1)]
    return NodeAssignment(
        log_assignment=assignment,
        endpoint_similarity=similarity[:, : junctions[0], : junctions[1]],
        endpoint_matchability0=torch.zeros(1, junctions[0]),
        endpoint_matchability1=torch.zeros(1, junctions[1]),
    )


def swapped(nodes: NodeAssignment) -> NodeAssignment:
    return NodeAssignment(
        nodes.log_assignment.mT,
        nodes.endpoint_similarity.mT,
        nodes.endpoint_matchability1,
        nodes.endpoint_matchability0,
    )


@pytest.fixture
def head() -> GuidedLineHead:
    torch.manual_seed(0)
    return GuidedLineHead().eval()


@torch.no_grad()
def test_features_are_moderate_and_tell_true_pairs() -> None:
    wireframe0, wireframe1 = matching_pair(60, 8, 6)
    positions = [in_units(wireframe.keypoints, wireframe) for wireframe in (wireframe0, wireframe1)]
    nodes = nodes_between(wireframe0, wireframe1)
    partners = nodes.log_assignment[:, :-1, :-1].argmax(2)
    matches = PointMatches(positions[0], positions[1][:, partners[0]], torch.ones(1, 68))
    features = line_pair_features(wireframe0, wireframe1, nodes.endpoint_similarity, matches)
    assert features.shape == (1, 6, 6, NUM_FEATURES)
    assert features.isfinite().all()
    assert features.abs().max() < 20
    distances = features[0, :, :, 3]  # the smaller one by all neighbours
    expected = 0.98 * wireframe0.lines[0] + 3
    for row in range(6):
        true = int((wireframe1.lines[0] - expected[row]).abs().sum((1, 2)).argmin())
        assert distances[row, true] < -0.5  # log1p of less than 0.7 px, minus 1


@torch.no_grad()
def test_exchanged_images_exchange_lines(head: GuidedLineHead) -> None:
    wireframe0, wireframe1 = matching_pair(30, 8, 6)[0], make_wireframe(20, 7, 5, seed=4)
    nodes = nodes_between(wireframe0, wireframe1)
    # Both directions see the same matches if no point is matched better in one of them.
    forth = head(wireframe0, wireframe1, nodes).log_assignment
    back = head(wireframe1, wireframe0, swapped(nodes)).log_assignment
    torch.testing.assert_close(forth, back.mT, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_exchanged_endpoints_change_nothing_where_both_sides_move_alike(
    head: GuidedLineHead,
) -> None:
    wireframe0, wireframe1 = matching_pair(30, 8, 6)
    nodes = nodes_between(wireframe0, wireframe1)
    turned = replace(
        wireframe0,
        detected_lines=wireframe0.detected_lines.flip(2),
        line_junctions=wireframe0.line_junctions.flip(2),
    )
    torch.testing.assert_close(
        head(turned, wireframe1, nodes).log_assignment,
        head(wireframe0, wireframe1, nodes).log_assignment,
        atol=1e-4,
        rtol=1e-4,
    )


@torch.no_grad()
def test_a_batch_gives_what_pairs_give(head: GuidedLineHead) -> None:
    counts = [(30, 8, 6), (12, 10, 9), (5, 0, 0), (0, 6, 4)]
    pairs = [matching_pair(*count, seed=seed) for seed, count in enumerate(counts)]
    batch = [stack_wireframes(side) for side in zip(*pairs, strict=True)]
    sizes = [side.keypoint_mask.shape[1] for side in batch]
    assignment = torch.full((4, sizes[0] + 1, sizes[1] + 1), float("-inf"))
    similarity = torch.full((4, 10, 10), -1e3)
    for row, pair in enumerate(pairs):
        nodes = nodes_between(*pair)
        own = nodes.log_assignment.shape
        assignment[row, : own[1] - 1, : own[2] - 1] = nodes.log_assignment[0, :-1, :-1]
        junctions = nodes.endpoint_similarity.shape
        similarity[row, : junctions[1], : junctions[2]] = nodes.endpoint_similarity[0]
    nothing = torch.zeros(4, 10)
    together = head(*batch, NodeAssignment(assignment, similarity, nothing, nothing)).log_assignment
    assert not together.isnan().any()
    for row, pair in enumerate(pairs):
        alone = head(*pair, nodes_between(*pair)).log_assignment[0]
        rows, columns = alone.shape[0] - 1, alone.shape[1] - 1
        cropped = together[row][[*range(rows), -1]][:, [*range(columns), -1]]
        torch.testing.assert_close(cropped, alone, atol=1e-4, rtol=1e-4)
        assert (together[row, rows:-1, :-1] == float("-inf")).all()


@torch.no_grad()
@pytest.mark.parametrize("counts1", [(0, 0, 0), (9, 0, 0), (0, 2, 1)])
def test_nothing_to_match(head: GuidedLineHead, counts1: tuple[int, int, int]) -> None:
    for counts0 in ((0, 0, 0), (6, 4, 3)):
        pair = make_wireframe(*counts0), make_wireframe(*counts1, seed=1)
        assignment = head(*pair, nodes_between(*pair)).log_assignment
        assert assignment.shape == (1, counts0[2] + 1, counts1[2] + 1)
        assert not assignment.isnan().any()


def test_gradients_reach_scores_and_similarities(head: GuidedLineHead) -> None:
    pair = matching_pair(20, 8, 6)
    nodes = nodes_between(*pair)
    similarity = nodes.endpoint_similarity.clone().requires_grad_()
    head(
        *pair, nodes._replace(endpoint_similarity=similarity)
    ).log_assignment.square().mean().backward()
    for value in (similarity, *head.parameters()):
        assert value.grad.isfinite().all()
        assert value.grad.abs().sum() > 0


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(head: GuidedLineHead, dtype: torch.dtype) -> None:
    pair = matching_pair(20, 8, 6)
    nodes = nodes_between(*pair)
    with torch.autocast("cpu", dtype=dtype):
        assignment = head(*pair, nodes).log_assignment
    assert assignment.dtype == torch.float32
    torch.testing.assert_close(assignment, head(*pair, nodes).log_assignment, atol=0.1, rtol=0.1)
