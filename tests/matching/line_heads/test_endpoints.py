import pytest
import torch
from matching.wireframes import make_wireframe
from torch.nn import functional as F  # noqa: N812

from gluestick.matching.line_heads.endpoints import (
    EndpointLineHead,
    NodeAssignment,
    endpoint_line_scores,
)


def test_better_pairing_of_the_endpoints():
    similarity = torch.randn(2, 5, 6)
    lines0 = torch.tensor([[[0, 1], [2, 4]], [[3, 3], [1, 0]]])
    lines1 = torch.tensor([[[5, 0], [2, 1], [3, 3]], [[1, 2], [4, 0], [0, 5]]])
    scores = endpoint_line_scores(similarity, lines0, lines1)
    assert scores.shape == (2, 2, 3)
    for image in range(2):
        for i, (a0, b0) in enumerate(lines0[image]):
            for j, (a1, b1) in enumerate(lines1[image]):
                same = similarity[image, a0, a1] + similarity[image, b0, b1]
                swapped = similarity[image, a0, b1] + similarity[image, b0, a1]
                torch.testing.assert_close(scores[image, i, j], 0.5 * max(same, swapped))


def test_order_of_the_endpoints_does_not_matter():
    similarity = torch.randn(1, 5, 6)
    lines0, lines1 = torch.tensor([[[0, 1], [2, 4]]]), torch.tensor([[[5, 0], [2, 1], [3, 3]]])
    expected = endpoint_line_scores(similarity, lines0, lines1)
    assert torch.equal(endpoint_line_scores(similarity, lines0.flip(2), lines1), expected)


@pytest.mark.parametrize(("counts0", "counts1"), [((0, 6, 4), (0, 0, 0)), ((0, 0, 0), (0, 0, 0))])
def test_without_lines(counts0, counts1):
    wireframe0, wireframe1 = make_wireframe(*counts0), make_wireframe(*counts1)
    nodes = NodeAssignment(
        log_assignment=torch.zeros(1, counts0[1] + 1, counts1[1] + 1),
        endpoint_similarity=torch.zeros(1, counts0[1], counts1[1]),
        endpoint_matchability0=torch.zeros(1, counts0[1]),
        endpoint_matchability1=torch.zeros(1, counts1[1]),
    )
    assignment = EndpointLineHead()(wireframe0, wireframe1, nodes).log_assignment
    assert assignment.shape == (1, counts0[2] + 1, counts1[2] + 1)
    assert not assignment.isnan().any()


def test_matchability_is_the_mean_over_the_endpoints():
    wireframe = make_wireframe(0, 6, 4)
    logits = torch.randn(1, 6)
    nodes = NodeAssignment(torch.zeros(1, 7, 7), torch.randn(1, 6, 6), logits, logits)
    assignment = EndpointLineHead()(wireframe, wireframe, nodes).log_assignment
    mean = logits[0][wireframe.line_junctions[0]].mean(1)
    torch.testing.assert_close(assignment[0, :-1, -1], F.logsigmoid(-mean))
