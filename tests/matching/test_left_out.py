"""Junctions that are left out of the network."""

import pytest
import torch
from matching.test_lightgluestick import ADAPTIVE, COUNTS, small, undecided
from matching.wireframes import assert_same, crop, make_wireframe, matching_pair

from gluestick.wireframe import stack_wireframes

LEFT_OUT = {"junctions": "left_out", "line_layers": ()}


@torch.no_grad()
@pytest.mark.parametrize("adaptive", [{}, ADAPTIVE])
def test_keypoints_match_as_with_junctions_in_the_network(adaptive):
    pair = matching_pair(24, 8, 6)
    attending = undecided(small(line_layers=(), **adaptive))
    left_out = undecided(small(**LEFT_OUT, **adaptive))
    expected, found = attending(*pair), left_out(*pair)
    assert torch.equal(found.matches0, expected.matches0)
    assert (found.matches0 > -1).any()
    torch.testing.assert_close(
        found.log_assignment[:, 8:, 8:], expected.log_assignment[:, 8:, 8:], atol=1e-4, rtol=1e-4
    )


@torch.no_grad()
def test_junctions_have_no_partners_and_lines_are_matched_by_descriptors():
    pair = matching_pair(14, 8, 6)
    network = small(**LEFT_OUT, descriptor_similarity=(20.0, 3.0))
    nodes, matches = network.assign_nodes(*pair), network(*pair)
    described0, described1 = (side.descriptors[:, :8] for side in pair)
    torch.testing.assert_close(nodes.endpoint_similarity, 20 * described0 @ described1.mT + 3)
    assert (nodes.log_assignment[:, :8, :-1] == float("-inf")).all()
    assert (nodes.log_assignment[:, :8, -1] == 0).all()
    assert (matches.junction_matches0 == -1).all()
    assert matches.line_matches0.shape == (1, 6)
    assert (matches.line_matches0 > -1).sum() >= 4


@torch.no_grad()
@pytest.mark.parametrize("adaptive", [{}, ADAPTIVE])
def test_batch_gives_what_pairs_give(adaptive):
    network = undecided(small(**LEFT_OUT, line_head="guided", **adaptive))
    pairs = [matching_pair(*counts, seed=seed) for seed, counts in enumerate(COUNTS)]
    pairs.append((make_wireframe(7, 5, 4, seed=8), make_wireframe(0, 0, 0, seed=9)))
    matches = network(*(stack_wireframes(side) for side in zip(*pairs, strict=True)))
    for row, pair in enumerate(pairs):
        assert_same(crop(matches, pair, row), network(*pair))


def test_layers_that_are_trained_compare_descriptors_as_well():
    pair = matching_pair(14, 8, 6)
    network = small(**LEFT_OUT)
    expected = network.assign_nodes(*pair).endpoint_similarity
    for nodes in network.assign_at_layers(*pair, layers=(0,)):
        assert torch.equal(nodes.endpoint_similarity, expected)
    matches, outputs = network.forward_all(*pair)
    assert torch.equal(matches.line_log_assignment, network(*pair).line_log_assignment)
    assert len(outputs) == 4


@torch.no_grad()
@pytest.mark.parametrize("changes", [{"attention": "full"}, {"line_layers": (1,)}])
def test_networks_that_need_junctions_keep_them(changes):
    pair = matching_pair(14, 8, 6)
    expected = small(**{"line_layers": (), **changes})(*pair)
    found = small(**{**LEFT_OUT, **changes})(*pair)
    assert torch.equal(found.line_log_assignment, expected.line_log_assignment)
    assert torch.equal(found.matches0, expected.matches0)
