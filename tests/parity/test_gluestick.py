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

from gluestick.matching.checkpoints import rename_published
from gluestick.matching.gluestick import GlueStick, GlueStickConfig
from gluestick.storage.parameters import load_strict
from gluestick.supervision.losses.networks import gluestick_loss

OPTIONS = (
    "input_dim",
    "descriptor_dim",
    "bottleneck_dim",
    "num_line_iterations",
    "line_attention",
    "filter_threshold",
)


def published_network(case: Case, *, keys_file: str | None = None) -> GlueStick:
    """Build the network of a case with its keyed weights."""
    published = case.meta["config"]
    config = GlueStickConfig(
        **{name: published[name] for name in OPTIONS if name in published},
        keypoint_encoder=tuple(published.get("keypoint_encoder", (32, 64, 128, 256))),
        num_layers=len(published.get("GNN_layers", range(18))) // 2,
        inter_supervision=tuple(published.get("inter_supervision") or ()),
        line_filter_threshold=published.get("filter_threshold", 0.2),
    )
    weights = published_weights(case, keys_file=keys_file)
    network = GlueStick(config)
    assert network.state_dict().keys() == weights.keys()
    load_strict(network, rename_published(weights), source=case.name)
    return network.eval()


@torch.no_grad()
@pytest.mark.parametrize("folder", case_folders("G1"), ids=lambda folder: folder.name)
def test_forward(folder: Path):
    case = load_case(folder)
    network = published_network(case)
    wireframes = [wireframe_of(case, side, channels_last=False) for side in (0, 1)]
    matches, outputs = network.forward_all(*wireframes)
    assert_matches(case, matches)
    for output in outputs[:-1]:
        assert_output(case, f"line_{output.layer}_log_assignment", output.line_log_assignment)


@torch.no_grad()
@pytest.mark.parametrize("folder", case_folders("G1"), ids=lambda folder: folder.name)
def test_intermediate_values(folder: Path):
    case = load_case(folder)
    network = published_network(case)
    wireframes = [wireframe_of(case, side, channels_last=False) for side in (0, 1)]
    layers = ("gnn.layers.0", "gnn.layers.0.update.attn", "gnn.line_layers.0", "gnn.layers.1")
    with recorded(network, "kenc", "lenc", *layers, "gnn") as calls:
        network(*wireframes)
    for side in (0, 1):
        inputs, encoded = calls["kenc"][side]
        compare(case, f"mid_kpts_norm{side}", inputs[0].mT)
        compare(case, f"mid_kenc{side}", encoded)
        compare(case, f"mid_lenc{side}", calls["lenc"][side][1].flatten(1, 2))
        compare(case, f"mid_after_self0_{side}", calls["gnn.layers.0"][0][1][side])
        compare(case, f"mid_after_line0_{side}", calls["gnn.line_layers.0"][side][1])
        compare(case, f"mid_after_cross0_{side}", calls["gnn.layers.1"][0][1][side])
        compare(case, f"mid_final_{side}", calls["gnn"][0][1][-1][side])
    compare(case, "mid_attn_self0_out0", calls["gnn.layers.0.update.attn"][0][1])


def compare(case: Case, name: str, actual: torch.Tensor) -> None:
    """Compare [B, N, C] with the published [B, C, N], where the case holds it."""
    if name in case.outputs:
        assert_output(case, name, actual.mT)


def loss_case(folder: Path) -> Case:
    case = load_case(folder)
    if "gluestick" not in case.meta["reference"]:
        pytest.skip(f"{case.name} is not about GlueStick")
    return case


@torch.no_grad()
@pytest.mark.parametrize("folder", case_folders("G7"), ids=lambda folder: folder.name)
@pytest.mark.parametrize("mode", ["eval", "train", "inter"])
def test_batch_of_the_training_code(folder: Path, mode: str):
    case = loss_case(folder)
    keys_file = "keys_file_inter" if mode == "inter" else "keys_file"
    if mode == "inter":
        case.meta["config"]["inter_supervision"] = [2, 5]
    network = published_network(case, keys_file=case.meta["weights"][keys_file])
    network.train(mode == "train")
    wireframes = [wireframe_of(case, side, channels_last=True) for side in (0, 1)]
    matches, outputs = network.forward_all(*wireframes)
    assert_matches(case, matches, prefix=f"{mode}_")
    assert [output.layer for output in outputs[:-1]] == [2, 5] * (mode == "inter")
    for output in outputs[:-1]:
        name = f"inter_line_{output.layer}_log_assignment"
        assert_output(case, name, output.line_log_assignment)
    if mode == "train":
        norm = network.gnn.layers[0].update.mlp[1]
        assert_output(case, "train_bn_running_mean_after", norm.running_mean)
        assert_output(case, "train_bn_running_var_after", norm.running_var)


@pytest.mark.parametrize("folder", case_folders("G7"), ids=lambda folder: folder.name)
@pytest.mark.parametrize("mode", ["eval", "train", "inter"])
def test_loss(folder: Path, mode: str):
    case = loss_case(folder)
    keys_file = "keys_file_inter" if mode == "inter" else "keys_file"
    if mode == "inter":
        case.meta["config"]["inter_supervision"] = [2, 5]
    network = published_network(case, keys_file=case.meta["weights"][keys_file])
    network.train(mode == "train")
    wireframes = [wireframe_of(case, side, channels_last=True) for side in (0, 1)]
    outputs = network.forward_all(*wireframes)[1]
    losses = gluestick_loss(outputs, true_matches(case), layer_weights={2: 0.3, 5: 0.6})
    assert_output(case, f"{mode}_loss_total", losses["loss"])
    assert_output(case, f"{mode}_loss_assignment_nll", losses["points"])
    assert_output(case, f"{mode}_loss_line_assignment_nll", losses["lines"])
    for output in outputs[:-1]:
        part = losses[f"lines_{output.layer}"]
        assert_output(case, f"inter_loss_line_{output.layer}_assignment_nll", part)
    losses["loss"].mean().backward()
    assert_gradients(case, network, mode)
