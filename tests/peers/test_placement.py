"""Peers on a device, and in other precisions than single."""

from collections.abc import Callable

import pytest
import torch
from accelerators import Accelerator
from agreement import to_cpu
from peers.wireframes import random_wireframe
from torch import nn

from gluestick.features.extractor import FeatureExtractor, FeatureExtractorConfig
from gluestick.features.points.registry import PointDetectorConfig
from gluestick.peers.lightglue import KorniaLightGlue, KorniaLightGlueConfig
from gluestick.peers.line_band_descriptors import LineBandDescriptors
from gluestick.peers.nearest_neighbours import NearestNeighbours, NearestNeighboursConfig
from gluestick.pipeline import PointLineMatcher
from gluestick.types import Wireframe
from gluestick.wireframe import WireframeConfig, stack_wireframes

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "lightglue": lambda: KorniaLightGlue(KorniaLightGlueConfig(input_dim=16)),
    "nearest": lambda: NearestNeighbours(NearestNeighboursConfig(match_lines=True)),
    "ratio": lambda: NearestNeighbours(NearestNeighboursConfig(max_ratio=0.9)),
}


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    return NETWORKS[request.param]()


@pytest.fixture
def batch() -> list[Wireframe]:
    pairs = [[random_wireframe(9, 4, seed=s), random_wireframe(7, 3, seed=s + 1)] for s in (0, 2)]
    return [stack_wireframes(side) for side in zip(*pairs, strict=True)]


@torch.no_grad()
def test_a_batch_on_a_device(
    network: nn.Module, batch: list[Wireframe], accelerator: Accelerator
) -> None:
    expected = to_cpu(network(*batch))
    network.to(accelerator.device)
    matches = network(*(side.to(accelerator.device) for side in batch))
    assert matches.matches0.device.type == accelerator.device.type
    for name, value in expected.items():
        torch.testing.assert_close(to_cpu(matches)[name], value, atol=1e-4, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("change", ["half", "bfloat16", "double"])
def test_other_precisions_change_nothing(
    network: nn.Module, batch: list[Wireframe], change: str
) -> None:
    expected = to_cpu(network(*batch))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = to_cpu(network(*batch))
    converted = to_cpu(getattr(network, change)()(*batch))
    for name, value in expected.items():
        assert torch.equal(mixed[name], value), name
        assert torch.equal(converted[name], value), name


@pytest.mark.parametrize("detector", ["sift", "lbd"])
def test_a_peer_without_any_parameter_is_moved(
    detector: str, leuven: tuple[torch.Tensor, torch.Tensor], accelerator: Accelerator
) -> None:
    images = [image[:, ::3, ::3] for image in leuven]
    own = LineBandDescriptors() if detector == "lbd" else None
    points = PointDetectorConfig(name="sift", max_num_keypoints=60)
    matcher = PointLineMatcher(
        extractor=FeatureExtractor(FeatureExtractorConfig(points=points), point_detector=own),
        wireframe=WireframeConfig(merge=False),
        network=NearestNeighbours(NearestNeighboursConfig(match_lines=True)),
    )
    expected = matcher(*images)[2]
    matches = matcher.to(accelerator.device)(*images)[2]
    assert matcher.device.type == matches.matches0.device.type == accelerator.device.type
    found = to_cpu(matches)
    for name in ("matches0", "line_matches0"):
        same = found[name] == getattr(expected, name)
        assert float(same.float().mean() if same.numel() else 1.0) >= 0.95
