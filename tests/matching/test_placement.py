"""Networks on a device, and in other precisions than single."""

from collections.abc import Callable

import pytest
import torch
from accelerators import Accelerator
from agreement import to_cpu
from matching.wireframes import matching_pair, randomize
from torch import Tensor, nn

from gluestick.matching.gluestick import GlueStick, GlueStickConfig
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.lightgluestick_config import LightGlueStickConfig
from gluestick.types import Wireframe
from gluestick.wireframe import stack_wireframes

LIGHT = {"input_dim": 32, "descriptor_dim": 64, "num_layers": 3, "num_heads": 2}
HEAVY = {"input_dim": 32, "descriptor_dim": 64, "keypoint_encoder": (8, 16), "num_layers": 2}

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "one way": lambda: LightGlueStick(LightGlueStickConfig(**LIGHT, line_head="guided")),
    "full": lambda: LightGlueStick(LightGlueStickConfig(**LIGHT, attention="full")),
    "adaptive": lambda: LightGlueStick(
        LightGlueStickConfig(**LIGHT, depth_confidence=0.35, width_confidence=0.6)
    ),
    "gluestick": lambda: GlueStick(GlueStickConfig(**HEAVY, inter_supervision=(0,))),
    "line attention": lambda: GlueStick(
        GlueStickConfig(**HEAVY, line_attention=True, bottleneck_dim=16)
    ),
}


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> nn.Module:
    return randomize(NETWORKS[request.param](), scale=0.1)


@pytest.fixture
def batch() -> list[Wireframe]:
    pairs = [matching_pair(24, 10, 9, seed=1), matching_pair(30, 4, 3, seed=2)]
    return [stack_wireframes(side) for side in zip(*pairs, strict=True)]


def matches_of(result: object) -> dict[str, Tensor]:
    return {name: value for name, value in to_cpu(result).items() if value.dtype == torch.int64}


@torch.no_grad()
def test_a_batch_on_a_device(
    network: nn.Module, batch: list[Wireframe], accelerator: Accelerator
) -> None:
    expected = network(*batch)
    network.to(accelerator.device)
    moved = [side.to(accelerator.device) for side in batch]
    found = []
    waits = accelerator.count_waits(lambda: found.append(network(*moved)))
    if getattr(network.config, "depth_confidence", -1) < 0:
        assert waits == 1
    ours, theirs = to_cpu(found[0]), to_cpu(expected)
    for name, value in theirs.items():
        if value.dtype == torch.int64:
            assert torch.equal(ours[name], value), name
        else:
            torch.testing.assert_close(ours[name], value, atol=1e-4, rtol=1e-3)


def test_a_training_step_on_a_device(
    network: nn.Module, batch: list[Wireframe], accelerator: Accelerator
) -> None:
    network.to(accelerator.device).train()
    matches, _ = network.forward_all(*(side.to(accelerator.device) for side in batch))
    assignments = (matches.log_assignment, matches.line_log_assignment)
    loss = -sum(value[:, 0, 0].sum() for value in assignments)
    loss.backward()
    gradients = [value.grad for value in network.parameters() if value.grad is not None]
    assert all(gradient.device.type == accelerator.device.type for gradient in gradients)
    assert any(float(gradient.abs().sum()) > 0 for gradient in gradients)


@torch.no_grad()
@pytest.mark.parametrize("change", ["half", "bfloat16", "double"])
def test_other_precisions_match_alike(
    network: nn.Module, batch: list[Wireframe], change: str
) -> None:
    expected = network(*batch)
    found = getattr(network, change)()(*batch)
    assert found.log_assignment.dtype == (torch.float64 if change == "double" else torch.float32)
    for name, value in matches_of(expected).items():
        assert float((matches_of(found)[name] == value).float().mean()) >= 0.95, name


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_matches_alike(
    network: nn.Module, batch: list[Wireframe], dtype: torch.dtype
) -> None:
    expected = network(*batch)
    with torch.autocast("cpu", dtype=dtype):
        found = network(*batch)
    assert found.log_assignment.dtype == found.line_log_assignment.dtype == torch.float32
    for name, value in matches_of(expected).items():
        assert float((matches_of(found)[name] == value).float().mean()) >= 0.95, name
