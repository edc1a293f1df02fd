import copy
import io
import sys
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch_geometric.nn import MessagePassing

from gluestick.matching.layers.encoders import RotaryEncoding
from gluestick.matching.layers.line_message import AttentionalLineMessagePassing, LineMessagePassing

LINES = torch.tensor([[[0, 1], [1, 2], [3, 3]], [[2, 0], [0, 2], [0, 0]]])
MASK = torch.tensor([[True, True, True], [True, True, False]])


@pytest.mark.parametrize("line_attention", [False, True])
def test_messages_of_gluestick(line_attention):
    torch.manual_seed(0)
    layer = LineMessagePassing(8, line_attention=line_attention).eval()
    if line_attention:  # logits so far apart that the subtracted maximum matters
        torch.nn.init.normal_(layer.proj_node.weight, std=6)
    x, encoding = torch.randn(2, 5, 8), torch.randn(2, 3, 2, 8)
    expected = x.clone()
    for image in range(2):
        received = {}
        largest = []
        for line, (nodes, real) in enumerate(zip(LINES[image], MASK[image], strict=True)):
            for end in range(2):
                own, other = x[image, nodes[end]], x[image, nodes[1 - end]]
                code = encoding[image, line, end]
                message = layer.mlp(torch.cat([own, other, code])[None, None])[0, 0]
                logit = torch.zeros(())
                if line_attention:
                    key = layer.proj_neigh(torch.cat([other, code]))
                    logit = layer.proj_node(own) @ key / 8**0.5
                if real:
                    received.setdefault(int(nodes[end]), []).append((logit, message))
                    largest.append(logit)
        for node, pairs in received.items():
            logits = torch.stack([logit for logit, _ in pairs]) - max(largest)
            weights = logits.exp() / (logits.exp().sum() + 1e-8)
            expected[image, node] += sum(w * m for w, (_, m) in zip(weights, pairs, strict=True))
    torch.testing.assert_close(layer(x, encoding, LINES, MASK), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("line_attention", [False, True])
def test_nodes_without_messages_stay(line_attention):
    layer = LineMessagePassing(8, line_attention=line_attention).eval()
    x, encoding = torch.randn(2, 5, 8), torch.randn(2, 3, 2, 8)
    silent = torch.zeros_like(MASK)
    assert torch.equal(layer(x, encoding, LINES, silent), x)
    assert torch.equal(layer(x, encoding[:, :0], LINES[:, :0], MASK[:, :0]), x)
    assert torch.equal(layer(x, encoding, LINES, MASK)[:, 4], x[:, 4])


def graph(num_junctions: int, edges: list[tuple[int, int]]) -> torch.Tensor:
    loops = [(index, index) for index in range(num_junctions)]
    return torch.tensor([*edges, *((b, a) for a, b in edges), *loops]).t()


def layer_with_values() -> AttentionalLineMessagePassing:
    torch.manual_seed(0)
    layer = AttentionalLineMessagePassing(16, 2)
    torch.nn.init.normal_(layer.ffn[-1].weight)
    return layer


def test_attention_is_restricted_to_the_edges():
    layer = layer_with_values()
    x, rotary = torch.randn(2, 4, 16), RotaryEncoding(8)(torch.rand(2, 4, 2))
    edge_index = graph(8, [(0, 1), (1, 2), (5, 7)])
    query, key, value = layer.project(x, rotary)
    allowed = torch.zeros(8, 8, dtype=torch.bool)
    allowed[edge_index[1], edge_index[0]] = True
    allowed = torch.stack([allowed[:4, :4], allowed[4:, 4:]])
    logits = torch.einsum("bqhd,bkhd->bhqk", query, key) / 8**0.5
    weights = logits.masked_fill(~allowed[:, None], float("-inf")).softmax(-1)
    expected = layer.update(torch.einsum("bhqk,bkhd->bqhd", weights, value), x)
    torch.testing.assert_close(layer(x, rotary, edge_index), expected, atol=1e-5, rtol=1e-5)


def test_new_layer_is_the_identity():
    x, rotary = torch.randn(1, 4, 16), RotaryEncoding(8)(torch.rand(1, 4, 2))
    layer = AttentionalLineMessagePassing(16, 2)
    assert torch.equal(layer(x, rotary, graph(4, [(0, 1)])), x)


def test_no_junctions():
    layer, x = AttentionalLineMessagePassing(16, 2), torch.zeros(2, 0, 16)
    assert layer(x, torch.zeros(2, 2, 0, 4), torch.zeros(2, 0, dtype=torch.int64)) is x


def gluestick_layer(*, line_attention: bool) -> LineMessagePassing:
    torch.manual_seed(0)
    layer = LineMessagePassing(8, line_attention=line_attention).eval()
    if line_attention:
        torch.nn.init.normal_(layer.proj_node.weight, std=6)
    return layer


@pytest.mark.parametrize("line_attention", [False, True])
def test_an_image_of_a_batch_gets_what_it_gets_alone(line_attention):
    layer = gluestick_layer(line_attention=line_attention)
    x, encoding = torch.randn(2, 5, 8), torch.randn(2, 3, 2, 8)
    together = layer(x, encoding, LINES, MASK)
    for image, num_lines in enumerate((3, 2)):
        row = slice(image, image + 1)
        alone = layer(
            x[row], encoding[row, :num_lines], LINES[row, :num_lines], MASK[row, :num_lines]
        )
        torch.testing.assert_close(together[row], alone)


def test_a_junction_with_logits_far_below_the_image_hardly_changes():
    layer = gluestick_layer(line_attention=True)
    torch.nn.init.zeros_(layer.proj_neigh.weight)
    torch.nn.init.ones_(layer.proj_neigh.bias)
    torch.nn.init.zeros_(layer.proj_node.bias)
    layer.proj_node.weight.data.copy_(torch.eye(8)[:, :, None])
    x = torch.zeros(1, 4, 8)
    x[0, 2:] = -50 / 8**0.5  # the logits of junctions 2 and 3 are 50 below those of 0 and 1
    lines = torch.tensor([[[0, 1], [2, 3]]])
    encoding, mask = torch.randn(1, 2, 2, 8), torch.ones(1, 2, dtype=torch.bool)
    change = layer(x, encoding, lines, mask) - x
    assert change[0, :2].abs().max() > 0.1
    assert change[0, 2:].abs().max() < 1e-6


def test_both_networks_send_messages_in_torch_geometric():
    for layer in (gluestick_layer(line_attention=True), layer_with_values()):
        assert isinstance(layer, MessagePassing)
        assert not [key for key in layer.state_dict() if "aggr" in key]
        assert type(layer).propagate.__module__ == "gluestick.matching.layers.line_message"
    assert not [name for name in sys.modules if name.startswith("gluestick.matching.line_message_")]


def test_layers_can_be_copied_and_stored():
    for layer in (gluestick_layer(line_attention=True), layer_with_values()):
        file = io.BytesIO()
        torch.save(layer, file)
        file.seek(0)
        for other in (copy.deepcopy(layer), torch.load(file, weights_only=False)):
            assert other.state_dict().keys() == layer.state_dict().keys()


class HostReads(TorchDispatchMode):
    """Counts the operations after which the host has to wait for a device."""

    NAMES = ("aten::_local_scalar_dense", "aten::nonzero", "aten::equal", "aten::masked_select")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        by_mask = func.name().startswith("aten::index") and any(
            isinstance(index, Tensor) and index.dtype == torch.bool
            for argument in args
            if isinstance(argument, (list, tuple))
            for index in argument
        )
        if by_mask or func.name() in self.NAMES:
            self.found.append(func.name())
        return func(*args, **(kwargs or {}))


@torch.no_grad()
def test_nothing_is_read_back_from_the_device():
    x, encoding = torch.randn(2, 5, 8), torch.randn(2, 3, 2, 8)
    rotary = RotaryEncoding(8)(torch.rand(2, 4, 2))
    with HostReads() as reads:
        for line_attention in (False, True):
            gluestick_layer(line_attention=line_attention)(x, encoding, LINES, MASK)
        layer_with_values()(torch.randn(2, 4, 16), rotary, graph(8, [(0, 1), (5, 7)]))
    assert reads.found == []
    with HostReads() as reads:  # the counter counts
        bool(x.any()), x[x > 0]
    assert len(reads.found) == 2


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_precision_stays(dtype):
    x, encoding = torch.randn(2, 5, 8), torch.randn(2, 3, 2, 8)
    tolerance = {"atol": 0.1, "rtol": 0.1} if dtype != torch.float64 else {}
    for line_attention in (False, True):
        layer = LineMessagePassing(8, line_attention=line_attention).eval()
        expected = layer(x, encoding, LINES, MASK)
        actual = layer.to(dtype)(x.to(dtype), encoding.to(dtype), LINES, MASK)
        assert actual.dtype == dtype
        torch.testing.assert_close(actual.float(), expected, **tolerance)
    layer, nodes = layer_with_values(), torch.randn(2, 4, 16)
    rotary, edge_index = RotaryEncoding(8)(torch.rand(2, 4, 2)), graph(8, [(0, 1), (5, 7)])
    expected = layer(nodes, rotary, edge_index)
    actual = layer.to(dtype)(nodes.to(dtype), rotary.to(dtype), edge_index)
    assert actual.dtype == dtype
    torch.testing.assert_close(actual.float(), expected, **tolerance)


@pytest.mark.parametrize("line_attention", [False, True])
def test_gradients_of_gluestick(line_attention):
    torch.manual_seed(0)
    layer = LineMessagePassing(8, line_attention=line_attention).double().eval()
    x = torch.randn(2, 5, 8, dtype=torch.float64, requires_grad=True)
    encoding = torch.randn(2, 3, 2, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda *values: layer(*values, LINES, MASK), (x, encoding))


def test_gradients():
    layer = layer_with_values().double()
    rotary = RotaryEncoding(8).double()(torch.rand(1, 3, 2, dtype=torch.float64)).detach()
    x = torch.randn(1, 3, 16, dtype=torch.float64, requires_grad=True)
    edge_index = graph(3, [(0, 1), (1, 2)])
    assert torch.autograd.gradcheck(lambda x: layer(x, rotary, edge_index), x)
