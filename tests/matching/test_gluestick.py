from dataclasses import replace

import pytest
import torch
from matching.wireframes import assert_same, crop, make_wireframe, matching_pair, randomize

from gluestick.matching.gluestick import GlueStick, GlueStickConfig
from gluestick.types import Wireframe
from gluestick.wireframe import stack_wireframes

SMALL = GlueStickConfig(
    input_dim=32, descriptor_dim=32, keypoint_encoder=(8, 16), num_layers=2, inter_supervision=(0,)
)
COUNTS = [(14, 8, 6), (9, 12, 10), (20, 0, 0), (0, 6, 4)]


def small(*, scale: float = 0.3, **changes: object) -> GlueStick:
    return randomize(GlueStick(replace(SMALL, **changes)), scale=scale)


@pytest.fixture
def network() -> GlueStick:
    return small()


@torch.no_grad()
def test_matches_of_a_noisy_copy():
    wireframe0, wireframe1 = matching_pair(14, 8, 6)
    matches = small(scale=0.1)(wireframe0, wireframe1)
    descriptors0 = wireframe0.descriptors[0, matches.matches0[0] > -1]
    descriptors1 = wireframe1.descriptors[0, matches.matches0[0][matches.matches0[0] > -1]]
    assert len(descriptors0) > 15
    assert ((descriptors0 * descriptors1).sum(-1) > 0.7).all()
    assert (matches.line_matches0 > -1).sum() >= 4
    assert matches.junction_matches0 is None


@torch.no_grad()
def test_probabilities(network):
    matches = network(*matching_pair(14, 8, 6))
    for assignment in (matches.log_assignment, matches.line_log_assignment):
        assert (assignment <= 0).all()
        assert assignment[0, -1, -1] == 0
    matched = matches.matches0[0] > -1
    probability = matches.log_assignment[0, :-1][matched].gather(
        1, matches.matches0[0][matched][:, None]
    )
    torch.testing.assert_close(probability.exp()[:, 0], matches.matching_scores0[0][matched])
    assert (matches.matching_scores0[0][matched] > 0.2).all()


@torch.no_grad()
@pytest.mark.parametrize("line_attention", [False, True])
@pytest.mark.parametrize("num_line_iterations", [1, 2])
def test_batch_gives_what_pairs_give(line_attention, num_line_iterations):
    network = small(line_attention=line_attention, num_line_iterations=num_line_iterations)
    pairs = [matching_pair(*counts, seed=seed) for seed, counts in enumerate(COUNTS)]
    pairs.append((make_wireframe(7, 5, 4, seed=8), make_wireframe(11, 0, 0, seed=9)))
    pairs.append((make_wireframe(3, 5, 4, seed=8), make_wireframe(0, 0, 0, seed=9)))
    batch = [stack_wireframes(side) for side in zip(*pairs, strict=True)]
    matches, (inner, last) = network.forward_all(*batch)
    assert (inner.layer, last.layer) == (0, 1)
    assert inner.log_assignment is None
    assert torch.equal(last.log_assignment, matches.log_assignment)
    for row, pair in enumerate(pairs):
        alone, outputs = network.forward_all(*pair)
        line_assignment = outputs[0].line_log_assignment
        assert_same(crop(matches, pair, row), alone)
        size0, size1 = line_assignment.shape[1:]
        torch.testing.assert_close(
            inner.line_log_assignment[row, : size0 - 1, : size1 - 1],
            line_assignment[0, :-1, :-1],
            atol=1e-4,
            rtol=1e-4,
        )


@torch.no_grad()
def test_padding_is_impossible_and_unmatched(network):
    pairs = [matching_pair(4, 3, 2, seed=1), matching_pair(9, 6, 5, seed=2)]
    matches = network(*(stack_wireframes(side) for side in zip(*pairs, strict=True)))
    for assignment, size in ((matches.log_assignment, 7), (matches.line_log_assignment, 2)):
        padding = assignment[0, size:-1]
        assert (padding[:, :-1] == float("-inf")).all()
        assert (padding[:, -1] == 0).all()
    assert (matches.matches0[0, 7:] == -1).all()
    assert (matches.matching_scores1[0, 7:] == 0).all()


@torch.no_grad()
@pytest.mark.parametrize(
    ("counts0", "counts1"),
    [
        ((5, 4, 3), (6, 0, 0)),
        ((5, 0, 0), (6, 0, 0)),
        ((5, 4, 3), (0, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((1, 0, 0), (1, 0, 0)),
        ((0, 1, 1), (0, 2, 1)),
    ],
)
def test_empty_and_single(network, counts0, counts1):
    wireframe0, wireframe1 = make_wireframe(*counts0, seed=1), make_wireframe(*counts1, seed=2)
    matches = network(wireframe0, wireframe1)
    nodes0, nodes1 = sum(counts0[:2]), sum(counts1[:2])
    assert matches.log_assignment.shape == (1, nodes0 + 1, nodes1 + 1)
    assert matches.line_log_assignment.shape == (1, counts0[2] + 1, counts1[2] + 1)
    assert matches.matches0.dtype == torch.int64
    assert not matches.log_assignment.isnan().any()
    assert not matches.line_log_assignment.isnan().any()
    if not counts1[2]:
        assert (matches.line_matches0 == -1).all()
        assert (matches.line_log_assignment[:, :-1, -1] == 0).all()


@torch.no_grad()
def test_no_messages_unless_both_images_have_lines(network):
    wireframe, other = make_wireframe(6, 4, 3, seed=1), make_wireframe(6, 0, 0, seed=2)
    silent = replace(wireframe, line_mask=torch.zeros_like(wireframe.line_mask))
    actual, expected = network(wireframe, other), network(silent, other)
    assert torch.equal(actual.log_assignment, expected.log_assignment)


@torch.no_grad()
def test_permuted_keypoints_permute_matches(network):
    wireframe0, wireframe1 = matching_pair(14, 8, 6)
    order = torch.cat([torch.arange(8), 8 + torch.randperm(14, generator=torch.manual_seed(0))])
    permuted = replace(
        wireframe1,
        keypoints=wireframe1.keypoints[:, order],
        keypoint_scores=wireframe1.keypoint_scores[:, order],
        descriptors=wireframe1.descriptors[:, order],
    )
    expected = network(wireframe0, wireframe1).matches1[:, order]
    assert torch.equal(network(wireframe0, permuted).matches1, expected)


@torch.no_grad()
def test_keypoints_outside_the_image(network):
    wireframe = make_wireframe(6, 4, 3)
    outside = replace(wireframe, keypoints=wireframe.keypoints - 400)
    assert network(outside, wireframe).log_assignment.isfinite().all()


@pytest.mark.parametrize("line_attention", [False, True])
def test_gradients_reach_every_parameter(line_attention):
    network = small(
        line_attention=line_attention, bottleneck_dim=16, input_dim=24, inter_supervision=(0, 1)
    ).train()
    pairs = [
        (
            make_wireframe(8, 6, 5, descriptor_dim=24, seed=s),
            make_wireframe(9, 5, 4, descriptor_dim=24, seed=s + 5),
        )
        for s in range(2)
    ]
    pairs[1] = (pairs[1][0], make_wireframe(7, 4, 3, descriptor_dim=24, seed=9))
    batch = [stack_wireframes(side) for side in zip(*pairs, strict=True)]
    matches, outputs = network.forward_all(*batch)
    assignments = (matches.log_assignment, *(output.line_log_assignment for output in outputs))
    sum(values[values.isfinite()].mean() for values in assignments).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        last_bias = (name.endswith(".bias") and ".mlp.0." in name) or "encoder" in name
        cancelled = name.endswith("bias") and ("proj.1" in name or "proj_neigh" in name)
        if not cancelled and not last_bias:
            assert parameter.grad.abs().sum() > 0, name


def test_training_statistics_ignore_padding():
    pair, larger = matching_pair(4, 3, 2, seed=1), matching_pair(9, 6, 5, seed=2)
    stacked = (stack_wireframes(side) for side in zip(pair, larger, strict=True))
    padded = [first_image(wireframe) for wireframe in stacked]
    statistics = []
    for wireframes in (pair, padded):
        network = small().train()
        network(*wireframes)
        statistics.append({n: b for n, b in network.named_buffers() if "running" in n})
    torch.testing.assert_close(*statistics)
    assert any("line_layers" in name for name in statistics[0])


def first_image(wireframe: Wireframe) -> Wireframe:
    """Return the first image of a batch with its padding."""
    no_edges = {"edge_index": wireframe.edge_index[:, :0]}
    values = {name: value for name, value in vars(wireframe).items() if value is not None}
    return Wireframe(**{name: value[:1] for name, value in values.items()} | no_edges)


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(dtype):
    with torch.autocast("cpu", dtype=dtype):
        matches = small(line_attention=True)(*matching_pair(14, 8, 6))
    assert matches.log_assignment.dtype == torch.float32
    assert (matches.line_matches0 > -1).any()


def test_errors(network):
    wireframe = make_wireframe(6, 4, 3)
    with pytest.raises(ValueError, match="same number of images, found 2 and 1"):
        network(stack_wireframes([wireframe, wireframe]), wireframe)
    with pytest.raises(ValueError, match="size 32, found 16 in wireframe 1"):
        network(wireframe, make_wireframe(6, 4, 3, descriptor_dim=16))
    broken = wireframe.descriptors.clone()
    broken[0, 2, 1] = float("nan")
    with pytest.raises(ValueError, match="descriptors of wireframe 0 contain NaN"):
        network(replace(wireframe, descriptors=broken), wireframe)
    with pytest.raises(ValueError, match="layers from 0 to 1"):
        replace(SMALL, inter_supervision=(2,))
    with pytest.raises(ValueError, match="multiple of num_heads"):
        replace(SMALL, num_heads=5)


def test_published_size():
    network = GlueStick()
    assert sum(parameter.numel() for parameter in network.parameters()) == pytest.approx(
        16.9e6, rel=0.01
    )
