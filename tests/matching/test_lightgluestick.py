import copy
from dataclasses import replace

import pytest
import torch
from kornia.feature import LightGlue
from matching.wireframes import assert_same, crop, make_wireframe, matching_pair, randomize
from torch import nn
from torch._dynamo.testing import CompileCounter

from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.lightgluestick_config import LightGlueStickConfig
from gluestick.types import Wireframe
from gluestick.wireframe import split_wireframe, stack_wireframes

SMALL = LightGlueStickConfig(input_dim=32, descriptor_dim=64, num_layers=4, num_heads=2)
COUNTS = [(24, 8, 6), (9, 12, 10), (30, 0, 0), (0, 6, 4)]
ADAPTIVE = {"depth_confidence": 0.35, "width_confidence": 0.6}


def small(*, scale: float = 0.3, **changes: object) -> LightGlueStick:
    return randomize(LightGlueStick(replace(SMALL, **changes)), scale=scale)


def undecided(network: LightGlueStick) -> LightGlueStick:
    """Let confidence and matchability vary so that pairs stop and keypoints go at all layers."""
    with torch.no_grad():
        for layer, confidence in enumerate(network.token_confidence):
            confidence.token[0].weight.mul_(8)
            confidence.token[0].bias.fill_(layer)
            network.log_assignment[layer].matchability.weight.mul_(8)
    return network


def without_lines(wireframe: Wireframe) -> Wireframe:
    """Return the keypoints alone."""
    junctions = int(wireframe.num_junctions[0])
    nodes = ("keypoints", "keypoint_scores", "descriptors", "keypoint_mask")
    lines = ("lines", "detected_lines", "line_scores", "line_mask", "line_junctions")
    return replace(
        wireframe,
        **{name: getattr(wireframe, name)[:, junctions:] for name in nodes},
        **{name: getattr(wireframe, name)[:, :0] for name in lines},
        num_junctions=torch.zeros_like(wireframe.num_junctions),
        edge_index=wireframe.edge_index[:, :0],
    )


@torch.no_grad()
@pytest.mark.parametrize("attention", ["one_way", "full"])
def test_matches_of_a_noisy_copy(attention):
    wireframe0, wireframe1 = matching_pair(14, 8, 6)
    matches = small(scale=0.1, attention=attention)(wireframe0, wireframe1)
    lists = [matches.matches0[0]]
    if attention == "one_way":
        lists.append(matches.junction_matches0[0])
        assert (matches.matches0[0, :8] == -1).all()
        assert (matches.junction_matches0[0, 8:] == -1).all()
        assert (matches.junction_matching_scores1[0, 8:] == 0).all()
    else:
        assert matches.junction_matches0 is None
    for found in lists:
        matched = found > -1
        products = (
            wireframe0.descriptors[0, matched] * wireframe1.descriptors[0, found[matched]]
        ).sum(-1)
        assert len(products) > 4
        assert (products > 0.7).all()
    assert (matches.line_matches0 > -1).sum() >= 4


@torch.no_grad()
def test_keypoints_and_junctions_are_never_paired():
    assignment = small()(*matching_pair(14, 8, 6)).log_assignment[0]
    assert (assignment[:8, 8:-1] == float("-inf")).all()
    assert (assignment[8:-1, :8] == float("-inf")).all()
    assert assignment[:8, :8].isfinite().all()
    assert assignment[8:-1, 8:-1].isfinite().all()
    assert assignment[-1, -1] == 0


@torch.no_grad()
@pytest.mark.parametrize("attention", ["one_way", "full"])
@pytest.mark.parametrize(
    "adaptive",
    [{}, ADAPTIVE, ADAPTIVE | {"depth_min_found": 0.7}, {"width_confidence": 0.6}],
)
@pytest.mark.parametrize("line_head", ["endpoints", "guided"])
def test_batch_gives_what_pairs_give(attention, adaptive, line_head):
    network = undecided(small(attention=attention, line_head=line_head, **adaptive))
    pairs = [matching_pair(*counts, seed=seed) for seed, counts in enumerate(COUNTS * 2)]
    pairs.append((make_wireframe(7, 5, 4, seed=8), make_wireframe(11, 0, 0, seed=9)))
    pairs.append((make_wireframe(3, 5, 4, seed=8), make_wireframe(0, 0, 0, seed=9)))
    batch = [stack_wireframes(side) for side in zip(*pairs, strict=True)]
    matches = network(*batch)
    for row, pair in enumerate(pairs):
        assert_same(crop(matches, pair, row), network(*pair))


@torch.no_grad()
def test_pairs_stop_at_different_layers(monkeypatch):
    network = undecided(small(**ADAPTIVE))
    pairs = [matching_pair(*counts, seed=seed) for seed, counts in enumerate(COUNTS * 3)]
    batch = [stack_wireframes(side) for side in zip(*pairs, strict=True)]
    sizes = {}
    for layer, transformer in enumerate(network.transformers):
        transformer.register_forward_pre_hook(
            lambda _, tokens, layer=layer: sizes.update({layer: tuple(tokens[0].x.shape[:2])})
        )
    network(*batch)
    assert sizes[0][0] == len(pairs)
    assert 0 < sizes[3][0] < sizes[1][0] <= len(pairs)
    assert sizes[3][1] < sizes[0][1]


@torch.no_grad()
def test_pairs_that_found_little_run_all_layers():
    pairs = [matching_pair(*counts, seed=seed) for seed, counts in enumerate(COUNTS * 3)]

    def layers_run(found: float) -> list[int]:
        network, counts = undecided(small(depth_confidence=0.35, depth_min_found=found)), []
        for transformer in network.transformers:
            transformer.register_forward_hook(lambda *_: counts.append(1))
        depths = []
        for pair in pairs:
            counts.clear()
            network(*pair)
            depths.append(len(counts))
        return depths

    anything, more_than_all = layers_run(0.0), layers_run(1e6)
    assert min(anything) < SMALL.num_layers
    # Where there is no keypoint, nothing is to be found.
    assert more_than_all == [
        early if COUNTS[index % len(COUNTS)][0] == 0 else SMALL.num_layers
        for index, early in enumerate(anything)
    ]


@torch.no_grad()
def test_similarities_of_an_early_layer_are_made_like_the_last_ones():
    pairs = [matching_pair(*counts, seed=seed) for seed, counts in enumerate(COUNTS * 3)]
    batch = [stack_wireframes(side) for side in zip(*pairs, strict=True)]
    scales, shifts = (2.0, 3.0, 4.0), (0.5, -1.0, 0.25)
    plain = undecided(small(depth_confidence=0.35))
    scaled = undecided(
        small(depth_confidence=0.35, similarity_scales=scales, similarity_shifts=shifts)
    )
    layers: list[nn.Module] = []
    for transformer in plain.transformers:
        transformer.register_forward_hook(lambda module, *_: layers.append(module))
    depths = set()
    for pair in pairs:
        layers.clear()
        expected = plain.assign_nodes(*pair).endpoint_similarity
        depths.add(len(layers))
        if len(layers) < 4:
            expected = scales[len(layers) - 1] * expected + shifts[len(layers) - 1]
        torch.testing.assert_close(scaled.assign_nodes(*pair).endpoint_similarity, expected)
    assert len(depths) > 1
    assert torch.equal(scaled(*batch).matches0, plain(*batch).matches0)


@torch.no_grad()
@pytest.mark.parametrize("adaptive", [{}, ADAPTIVE])
def test_lines_change_nothing_for_keypoints(adaptive):
    network = undecided(small(**adaptive))
    for seed in range(4):
        pair = matching_pair(24, 8, 6, seed=seed)
        with_lines = network(*pair)
        alone = network(*(without_lines(wireframe) for wireframe in pair))
        found = with_lines.matches0[:, 8:]
        assert torch.equal(torch.where(found > -1, found - 8, -1), alone.matches0)
        torch.testing.assert_close(
            with_lines.matching_scores0[:, 8:], alone.matching_scores0, atol=1e-5, rtol=0
        )
        torch.testing.assert_close(
            with_lines.log_assignment[:, 8:, 8:], alone.log_assignment, atol=1e-4, rtol=1e-4
        )


@torch.no_grad()
@pytest.mark.parametrize("adaptive", [{"depth_confidence": -1, "width_confidence": -1}, ADAPTIVE])
def test_keypoints_match_as_in_lightglue(adaptive):
    network = undecided(small(**adaptive))
    lightglue = LightGlue(
        None, input_dim=32, descriptor_dim=64, n_layers=4, num_heads=2, flash=True, **adaptive
    ).eval()
    own = network.state_dict()
    lightglue.load_state_dict(
        {key: own.get(key, value) for key, value in lightglue.state_dict().items()}
    )
    for seed in range(4):
        pair = matching_pair(30, 8, 6, seed=seed)
        data = {
            f"image{side}": {
                "keypoints": wireframe.keypoints[:, 8:],
                "descriptors": wireframe.descriptors[:, 8:],
                "image_size": wireframe.image_size,
            }
            for side, wireframe in enumerate(pair)
        }
        expected, matches = lightglue(data), network(*pair)
        found = matches.matches0[:, 8:]
        assert torch.equal(torch.where(found > -1, found - 8, -1), expected["matches0"])
        torch.testing.assert_close(
            matches.matching_scores1[:, 8:], expected["matching_scores1"], atol=1e-5, rtol=0
        )
        assert (expected["matches0"] > -1).sum() > 5


@torch.no_grad()
@pytest.mark.parametrize("attention", ["one_way", "full"])
@pytest.mark.parametrize("adaptive", [{}, ADAPTIVE])
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
@pytest.mark.parametrize("line_head", ["endpoints", "guided"])
def test_empty_and_single(attention, adaptive, counts0, counts1, line_head):
    wireframe0, wireframe1 = make_wireframe(*counts0, seed=1), make_wireframe(*counts1, seed=2)
    network = undecided(small(attention=attention, line_head=line_head, **adaptive))
    matches = network(wireframe0, wireframe1)
    nodes0, nodes1 = sum(counts0[:2]), sum(counts1[:2])
    assert matches.log_assignment.shape == (1, nodes0 + 1, nodes1 + 1)
    assert matches.line_log_assignment.shape == (1, counts0[2] + 1, counts1[2] + 1)
    assert matches.line_matches1.shape == (1, counts1[2])
    assert not matches.log_assignment.isnan().any()
    assert not matches.line_log_assignment.isnan().any()


@torch.no_grad()
def test_padded_single_pair():
    pair, larger = matching_pair(9, 6, 5, seed=1), matching_pair(20, 12, 9, seed=2)
    network = small()
    stacked = [stack_wireframes(side) for side in zip(pair, larger, strict=True)]
    matches = network(*stacked)
    assert (matches.log_assignment[0, 15:-1, :-1] == float("-inf")).all()
    assert (matches.log_assignment[0, 15:-1, -1] == 0).all()
    assert (matches.line_log_assignment[0, 5:-1, :-1] == float("-inf")).all()
    assert [len(split_wireframe(side)) for side in stacked] == [2, 2]


@torch.no_grad()
@pytest.mark.parametrize("attention", ["one_way", "full"])
def test_permuted_keypoints_permute_matches(attention):
    network = small(attention=attention)
    wireframe0, wireframe1 = matching_pair(14, 8, 6)
    order = torch.cat([torch.arange(8), 8 + torch.randperm(14, generator=torch.manual_seed(0))])
    permuted = replace(
        wireframe1,
        keypoints=wireframe1.keypoints[:, order],
        descriptors=wireframe1.descriptors[:, order],
    )
    expected = network(wireframe0, wireframe1).matches1[:, order]
    assert torch.equal(network(wireframe0, permuted).matches1, expected)


@pytest.mark.parametrize("attention", ["one_way", "full"])
def test_gradients_reach_every_parameter(attention):
    network = small(attention=attention).train()
    pairs = [matching_pair(8, 6, 5, seed=1), (make_wireframe(9, 4, 3), make_wireframe(7, 5, 4))]
    batch = [stack_wireframes(side) for side in zip(*pairs, strict=True)]
    matches, layers = network.forward_all(*batch)
    values = [matches.log_assignment]
    for layer in layers:
        values += [layer.log_assignment, layer.line_log_assignment]
        if layer.confidence_logits0 is not None:
            values += [layer.confidence_logits0, layer.confidence_logits1]
    sum(value[value.isfinite()].square().mean() for value in values).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


@torch.no_grad()
def test_outputs_of_all_layers():
    network = small(**ADAPTIVE)
    batch = [
        stack_wireframes(side)
        for side in zip(matching_pair(8, 6, 5), matching_pair(12, 0, 0), strict=True)
    ]
    matches, layers = network.forward_all(*batch)
    assert len(layers) == 4
    assert torch.equal(layers[-1].log_assignment, matches.log_assignment)
    assert layers[-1].confidence_logits0 is None
    assert layers[0].confidence_logits1.shape == batch[1].keypoint_mask.shape
    network.config = replace(network.config, depth_confidence=-1, width_confidence=-1)
    torch.testing.assert_close(network(*batch).log_assignment, matches.log_assignment)


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(dtype):
    with torch.autocast("cpu", dtype=dtype):
        matches = small(**ADAPTIVE)(*matching_pair(14, 8, 6))
    assert matches.log_assignment.dtype == torch.float32
    assert (matches.line_matches0 > -1).any()


def test_errors():
    wireframe = make_wireframe(6, 4, 3)
    with pytest.raises(ValueError, match="size 32, found 16 in wireframe 1"):
        small()(wireframe, make_wireframe(6, 4, 3, descriptor_dim=16))
    broken = wireframe.keypoints.clone()
    broken[0, 2, 1] = float("inf")
    with pytest.raises(ValueError, match="keypoints of wireframe 1 contain NaN or infinite"):
        small()(wireframe, replace(wireframe, keypoints=broken))
    with pytest.raises(ValueError, match="attention must be one of"):
        replace(SMALL, attention="two_way")
    with pytest.raises(ValueError, match="line_head must be one of"):
        replace(SMALL, line_head="points")
    with pytest.raises(ValueError, match="line_layers needs layers from 0 to 3"):
        replace(SMALL, line_layers=(0, 4))
    with pytest.raises(ValueError, match="similarity_shifts needs a number for each of 3 layers"):
        replace(SMALL, similarity_shifts=(1.0,) * 4)
    with pytest.raises(ValueError, match="multiple of 2"):
        replace(SMALL, num_heads=64)


def test_published_sizes():
    lines = LightGlueStick()
    points = LightGlueStick(LightGlueStickConfig(line_layers=()))
    assert sum(p.numel() for p in lines.parameters()) == pytest.approx(18.4e6, rel=0.01)
    assert len([key for key in points.state_dict() if "line_layer" in key]) == 0


def test_the_core_compiles_whole_and_rarely_again() -> None:
    """One graph without breaks serves all sizes; padding on either side needs a further one."""
    network = small(num_layers=1, line_layers=()).eval()
    pairs = [matching_pair(20 + 3 * index, 9 + index, 6 + index, seed=index) for index in range(3)]
    expected = [network(*pair).log_assignment for pair in pairs]
    counter = CompileCounter()
    network.compile(backend=counter)
    with torch.no_grad():
        for pair, assignment in zip(pairs, expected, strict=True):
            assert torch.equal(network(*pair).log_assignment, assignment)
        assert counter.frame_count <= 2
        batch = [stack_wireframes([pair[side] for pair in pairs]) for side in (0, 1)]
        network(*batch)
    assert counter.frame_count <= 3
    assert copy.deepcopy(network)._compiled_core is None
