"""How fast line messages are in torch-geometric, and how fast the same written in plain torch.

Usage: ``python docs/measurements/speed/parts/line_messages.py [--device cuda] [--repeat 60]``. One
image, 256 channels, one thread, both in turns; the median of each is printed, of CPU time on the
CPU, for matching (forward) and for training (forward and backward).
"""

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from gluestick.matching.layers.encoders import RotaryEncoding
from gluestick.matching.layers.line_message import (
    ATTENTION_EPSILON,
    AttentionalLineMessagePassing,
    LineMessagePassing,
)

CHANNELS = 256
LINES_PER_JUNCTION = 0.6
"""As in the photographs in assets/."""


def plain_gluestick(
    layer: LineMessagePassing, x: Tensor, encoding: Tensor, line_junctions: Tensor, mask: Tensor
) -> Tensor:
    """Return what ``LineMessagePassing`` returns, by gathering and scattering."""
    batch_size, num_nodes, channels = x.shape
    offset = num_nodes * torch.arange(batch_size, device=x.device)
    index = (line_junctions + offset[:, None, None]).flatten()
    mask = mask[..., None].expand(-1, -1, 2).flatten(1)
    own = x.flatten(0, 1)[index].unflatten(0, line_junctions.shape)
    neighbour = torch.cat([own.flip(2), encoding], dim=-1).flatten(1, 2)
    own = own.flatten(1, 2)
    messages = layer.mlp(torch.cat([own, neighbour], dim=-1), mask)
    weights = mask.to(x.dtype)
    if layer.line_attention:
        query, key = layer.proj_node(own), layer.proj_neigh(neighbour)
        logits = ((query * key).sum(-1) / channels**0.5).masked_fill(~mask, float("-inf"))
        weights = torch.exp(logits - logits.amax(1, keepdim=True))
    total = weights.new_zeros(batch_size * num_nodes).index_add(0, index, weights.flatten())
    weights = weights / (total[index].view_as(weights) + ATTENTION_EPSILON)
    weighted = torch.where(mask[..., None], messages * weights[..., None], 0).flatten(0, 1)
    updates = weighted.new_zeros(batch_size * num_nodes, channels).index_add(0, index, weighted)
    return x + updates.view_as(x)


def plain_lightgluestick(
    layer: AttentionalLineMessagePassing, x: Tensor, rotary: Tensor, edge_index: Tensor
) -> Tensor:
    """Return what ``AttentionalLineMessagePassing`` returns, by gathering and scattering."""
    query, key, value = (projected.flatten(0, 1) for projected in layer.project(x, rotary))
    sender, receiver = edge_index
    logits = (query[receiver] * key[sender]).sum(-1) / query.shape[-1] ** 0.5
    index = receiver[:, None].expand_as(logits)
    largest = logits.new_full((len(query), logits.shape[1]), float("-inf"))
    largest = largest.scatter_reduce(0, index, logits.detach(), "amax")
    weights = torch.exp(logits - largest[receiver])
    total = weights.new_zeros(largest.shape).index_add(0, receiver, weights)
    weights = weights / total[receiver]
    context = torch.zeros_like(value).index_add(0, receiver, weights[..., None] * value[sender])
    return layer.update(context.unflatten(0, x.shape[:2]), x)


def cases(num_junctions: int, device: str) -> dict[str, tuple[nn.Module, Callable, list[Tensor]]]:
    """Return the layers, their plain counterparts, and random inputs, the nodes first."""
    num_lines = round(LINES_PER_JUNCTION * num_junctions)
    junctions = torch.randint(num_junctions, (1, num_lines, 2), device=device)
    edges = torch.cat([junctions[0], junctions[0].flip(1)]).T
    edge_index = torch.cat([edges, torch.arange(num_junctions, device=device).expand(2, -1)], 1)
    x = torch.randn(1, num_junctions, CHANNELS, device=device)
    encoding = torch.randn(1, num_lines, 2, CHANNELS, device=device)
    mask = torch.ones(1, num_lines, dtype=torch.bool, device=device)
    rotary = RotaryEncoding(64)(torch.rand(1, num_junctions, 2)).detach().to(device)
    lines = [x, encoding, junctions, mask]
    mean, weighted = LineMessagePassing(CHANNELS), LineMessagePassing(CHANNELS, line_attention=True)
    attention = AttentionalLineMessagePassing(CHANNELS, 4)
    nn.init.normal_(attention.ffn[-1].weight, std=0.1)
    layers = {
        "GlueStick": (mean, plain_gluestick, lines),
        "GlueStick, line attention": (weighted, plain_gluestick, lines),
        "LightGlueStick": (attention, plain_lightgluestick, [x, rotary, edge_index]),
    }
    return {name: (layer.eval().to(device), *rest) for name, (layer, *rest) in layers.items()}


def forward(call: Callable, inputs: Sequence[Tensor]) -> None:
    """Run a layer as in matching."""
    with torch.no_grad():
        call(*inputs)


def forward_and_backward(call: Callable, inputs: Sequence[Tensor]) -> None:
    """Run a layer as in training."""
    call(inputs[0].detach().requires_grad_(), *inputs[1:]).sum().backward()


def measure(calls: Sequence[Callable[[], None]], *, repeat: int, device: str) -> list[float]:
    """Return the median time of each call in ms."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(repeat):
        for call, found in zip(calls, times, strict=True):
            start = clock()
            call()
            if device == "cuda":
                torch.cuda.synchronize()
            found.append(1000 * (clock() - start))
    return [float(np.median(found[repeat // 5 :])) for found in times]


def main(device: str, repeat: int) -> None:
    """Print the table."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    print("| network | junctions | forward, ms: plain, here | with backward, ms: plain, here |")
    print("|---|---|---|---|")
    for num_junctions in (100, 400, 1000):
        for name, (layer, plain, inputs) in cases(num_junctions, device).items():
            calls = [partial(plain, layer), layer]
            with torch.no_grad():
                torch.testing.assert_close(calls[0](*inputs), calls[1](*inputs), atol=1e-4, rtol=0)
            cells = [name, str(num_junctions)]
            for run in (forward, forward_and_backward):
                runs = [partial(run, call, inputs) for call in calls]
                before, here = measure(runs, repeat=repeat, device=device)
                cells.append(f"{before:.2f}, {here:.2f} ({here / before:.2f} x)")
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--repeat", type=int, default=60)
    arguments = parser.parse_args()
    main(arguments.device, arguments.repeat)
