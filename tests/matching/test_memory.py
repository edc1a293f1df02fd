"""The estimate of what matching takes, against what torch says that it holds."""

import pytest
import torch
from matching.wireframes import make_wireframe, with_colors
from torch import nn
from torch.profiler import ProfilerActivity, profile

from gluestick.matching.gluestick import GlueStick, GlueStickConfig
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.lightgluestick_config import LightGlueStickConfig
from gluestick.matching.memory import NetworkConfig, PairCounts, matching_bytes
from gluestick.types import Wireframe
from gluestick.wireframe.collate import stack_wireframes


@torch.no_grad()
def largest_bytes(network: nn.Module, wireframe0: Wireframe, wireframe1: Wireframe) -> int:
    """Return the most that torch holds at a time beyond what is there before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        network(wireframe0, wireframe1)
    held = largest = 0
    for event in record.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            largest = max(largest, held)
    assert largest > 0
    return largest


def build(config: NetworkConfig) -> nn.Module:
    kind = GlueStick if isinstance(config, GlueStickConfig) else LightGlueStick
    return kind(config).eval()


def image(counts: tuple[int, int], *, seed: int, close: bool = False) -> Wireframe:
    """Return an image with so many nodes and lines, which all lie close to each other or not."""
    num_nodes, num_lines = counts
    wireframe = make_wireframe(
        num_nodes - 2 * num_lines, 2 * num_lines, num_lines, descriptor_dim=256, seed=seed
    )
    if close:
        wireframe.detected_lines.mul_(0.02)
    return with_colors(wireframe, seed=seed)


LIGHT = {"num_layers": 1, "line_layers": ()}
NETWORKS = {
    "same_line": LightGlueStickConfig(line_head="same_line", **LIGHT),
    "guided": LightGlueStickConfig(line_head="guided", **LIGHT),
    "published": LightGlueStickConfig(num_layers=1, attention="full"),
    "adaptive": LightGlueStickConfig(
        num_layers=2, line_layers=(), line_head="same_line", width_confidence=0.99
    ),
    "gluestick": GlueStickConfig(num_layers=1),
}
SIZES = {
    "nodes": (1000, 0),
    "usual": (800, 200),
    "lines": (800, 400),
    "pieces": (2200, 20),
}


CASES = [(name, size) for name in NETWORKS for size in SIZES if size != "pieces"]


@pytest.mark.parametrize(("name", "size"), [*CASES, ("same_line", "pieces")])
def test_no_pair_takes_more(name: str, size: str) -> None:
    config, (nodes, lines) = NETWORKS[name], SIZES[size]
    taken = largest_bytes(build(config), *(image((nodes, lines), seed=seed) for seed in (0, 1)))
    counts = PairCounts(nodes0=nodes, nodes1=nodes, lines0=lines, lines1=lines)
    estimate = matching_bytes(counts, network=config)
    assert taken <= estimate <= matching_bytes(counts)
    assert estimate < 4 * taken + 60e6


def test_lines_that_are_all_candidates_take_no_more() -> None:
    config = NETWORKS["same_line"]
    pair = [image((1000, 500), seed=0, close=True)] * 2
    taken = largest_bytes(build(config), *pair)
    assert taken > largest_bytes(build(config), *(image((1000, 500), seed=seed) for seed in (0, 1)))
    assert taken <= matching_bytes(PairCounts.of(*pair), network=config)


@pytest.mark.parametrize("name", NETWORKS)
def test_no_padded_batch_takes_more(name: str) -> None:
    config = NETWORKS[name]
    sizes = [(800, 200), (700, 180), (600, 90)]
    pairs = [[image(size, seed=seed) for seed in (0, 1)] for size in sizes]
    batch = [stack_wireframes(list(side), padded=False) for side in zip(*pairs, strict=True)]
    taken = largest_bytes(build(config), *batch)
    counts = PairCounts.of(*pairs[2]).or_more(PairCounts.of(*pairs[0]))
    assert counts == PairCounts.of(*batch)
    estimate = matching_bytes(counts, network=config, pairs=3, padded=True)
    assert taken <= estimate < 6 * taken


def test_an_empty_pair_and_ever_more() -> None:
    nothing = PairCounts(nodes0=0, nodes1=0, lines0=0, lines1=0)
    config = NETWORKS["same_line"]
    least = matching_bytes(nothing, network=config)
    assert 0 < least < 1e8
    assert matching_bytes(nothing, network=config, pairs=9, padded=True, kept=3) == least
    for padded, kept in ((False, 0), (False, 1), (True, 0), (True, 1)):
        estimates = [
            matching_bytes(
                PairCounts(nodes0=nodes, nodes1=nodes, lines0=10, lines1=10),
                network=config,
                padded=padded,
                kept=kept,
            )
            for nodes in (20, 100, 2000, 2100, 9000)
        ]
        assert estimates == sorted(estimates)
        assert estimates[-1] >= (8 + 4 * kept) * 9000**2


def test_what_was_measured() -> None:
    """Of the default model: 1,456 nodes and 250 lines on an H100, and node_scale.py on a CPU."""
    config = NETWORKS["same_line"]
    counts = PairCounts(nodes0=1456, nodes1=1456, lines0=250, lines1=250)
    for pairs, measured in ((1, 138e6), (8, 658e6), (32, 2600e6)):
        estimate = matching_bytes(counts, network=config, pairs=pairs, padded=True)
        assert measured <= estimate < 2 * measured
    for nodes, measured in ((2048, 98e6), (4096, 254e6), (8192, 668e6), (16384, 2348e6)):
        counts = PairCounts(nodes0=nodes, nodes1=nodes, lines0=250, lines1=250)
        estimate = matching_bytes(counts, network=config)
        assert measured <= estimate < 3 * measured
