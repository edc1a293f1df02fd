from pathlib import Path

import pytest
import torch
from parity.goldens import Case, case_folders, load_case
from parity.networks import (
    assert_gradients,
    assert_matches,
    assert_output,
    published_weights,
    recorded,
    true_matches,
    wireframe_of,
)

from gluestick.matching.checkpoints import lightgluestick_from_lightglue, rename_published
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.lightgluestick_config import LightGlueStickConfig
from gluestick.storage.parameters import load_strict
from gluestick.supervision.losses.networks import assignment_nll, lightglue_loss

OPTIONS = {
    "input_dim": "input_dim",
    "descriptor_dim": "descriptor_dim",
    "n_layers": "num_layers",
    "num_heads": "num_heads",
    "filter_threshold": "filter_threshold",
}


def config_of(case: Case, **options: object) -> LightGlueStickConfig:
    published = case.meta["config"]
    same = {ours: published[name] for name, ours in OPTIONS.items() if name in published}
    return LightGlueStickConfig(
        **same, line_filter_threshold=published.get("filter_threshold", 0.1), **options
    )


def published_network(case: Case) -> LightGlueStick:
    """Build the network of a case with its keyed weights."""
    network = LightGlueStick(config_of(case, attention="full"))
    load_strict(network, rename_published(published_weights(case)), source=case.name)
    return network.eval()


@torch.no_grad()
@pytest.mark.parametrize("folder", case_folders("G5"), ids=lambda folder: folder.name)
def test_forward(folder: Path):
    case = load_case(folder)
    wireframes = [wireframe_of(case, side, channels_last=True) for side in (0, 1)]
    assert_matches(case, published_network(case)(*wireframes))


@torch.no_grad()
@pytest.mark.parametrize("folder", case_folders("G5"), ids=lambda folder: folder.name)
def test_intermediate_values(folder: Path):
    case = load_case(folder)
    network = published_network(case)
    wireframes = [wireframe_of(case, side, channels_last=True) for side in (0, 1)]
    first, last = network.transformers[0], network.transformers[-1]
    names = {module: name for name, module in network.named_modules()}
    parts = [names[part] for part in (first, first.self_attn, first.line_layer, last)]
    with recorded(network, "posenc", *parts) as calls:
        network(*wireframes)
    layer, self_attention, line_layer, final = (calls[part] for part in parts)
    for side in (0, 1):
        inputs, rotary = calls["posenc"][side]
        published = rotary.repeat_interleave(2, -1)[:, :, None]  # [2, B, 1, P, D]
        values = {
            f"mid_kpts_norm{side}": inputs[0],
            f"mid_posenc{side}": published,
            f"mid_self_out0_{side}": self_attention[side][1],
            f"mid_line_out0_{side}": line_layer[side][1] if len(line_layer) == 2 else None,
            f"mid_after_layer0_{side}": layer[0][1][side].x,
            f"mid_final_{side}": final[0][1][side].x,
        }
        for name, value in values.items():
            if name in case.outputs and value is not None:
                assert_output(case, name, value)
        if f"line_mask{side}" in case.outputs:
            assert torch.equal(adjacency(layer[0][0][side]), case.outputs[f"line_mask{side}"])


def adjacency(tokens) -> torch.Tensor:
    """Return which junctions exchange messages, [B, J, J]."""
    size = tokens.num_junctions
    connected = torch.zeros(len(tokens.x) * size, len(tokens.x) * size, dtype=torch.bool)
    connected[tuple(tokens.edge_index)] = True
    blocks = connected.view(-1, size, len(tokens.x), size)
    return torch.stack([blocks[image, :, image] for image in range(len(tokens.x))])


@torch.no_grad()
@pytest.mark.parametrize("folder", case_folders("G7"), ids=lambda folder: folder.name)
@pytest.mark.parametrize("attention", ["full", "one_way"])
def test_lightglue(folder: Path, attention: str):
    case = load_case(folder)
    if "lightglue" not in case.meta["reference"]:
        pytest.skip(f"{case.name} is not about LightGlue")
    network = LightGlueStick(config_of(case, attention=attention, line_layers=())).eval()
    weights = lightgluestick_from_lightglue(rename_published(published_weights(case)))
    load_strict(network, weights, source=case.name)
    wireframes = [wireframe_of(case, side, channels_last=True) for side in (0, 1)]
    matches, layers = network.forward_all(*wireframes)
    assert_matches(case, matches, prefix="eval_")
    assert_matches(case, network.train()(*wireframes), prefix="train_")
    last = f"transformers.{network.config.num_layers - 1}"
    with recorded(network, last) as calls:
        network(*wireframes)
    assert_output(case, "train_ref_descriptors0_last", calls[last][0][1][0].x)
    assert len(layers) == network.config.num_layers


@pytest.mark.parametrize("folder", case_folders("G7"), ids=lambda folder: folder.name)
@pytest.mark.parametrize("attention", ["full", "one_way"])
def test_loss(folder: Path, attention: str):
    case = load_case(folder)
    if "lightglue" not in case.meta["reference"]:
        pytest.skip(f"{case.name} is not about LightGlue")
    network = LightGlueStick(config_of(case, attention=attention, line_layers=())).train()
    published = published_weights(case)
    weights = lightgluestick_from_lightglue(rename_published(published))
    load_strict(network, weights, source=case.name)
    wireframes = [wireframe_of(case, side, channels_last=True) for side in (0, 1)]
    outputs = network.forward_all(*wireframes)[1]
    truth = true_matches(case)
    masks = wireframes[0].keypoint_mask, wireframes[1].keypoint_mask
    losses = lightglue_loss(outputs, truth, masks=masks, line_weight=0.0)
    assert_output(case, "train_loss_total", losses["loss"])
    assert_output(case, "train_loss_last", losses["points"])
    assert_output(case, "train_loss_confidence", losses["confidence"])
    likelihoods = assignment_nll(outputs[-1].log_assignment, truth.gt_matches0, truth.gt_matches1)
    assert_output(case, "train_loss_nll_pos", likelihoods.matched)
    assert_output(case, "train_loss_nll_neg", likelihoods.unmatched)
    losses["loss"].mean().backward()
    renamed = {
        name: next(iter(rename_published({name: value})), name) for name, value in published.items()
    }
    assert_gradients(case, network, "train", renamed)
