import pytest
import torch
from torch_geometric.utils import softmax

from gluestick.matching.encoders import RotaryEncoding
from gluestick.matching.line_message import AttentionalLineMessagePassing, LineMessagePassing

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


def test_edge_weights_are_those_of_torch_geometric(monkeypatch):
    from gluestick.matching import line_message

    layer = layer_with_values()
    x, rotary = torch.randn(1, 6, 16), RotaryEncoding(8)(torch.rand(1, 6, 2))
    edge_index = graph(6, [(0, 1), (1, 2), (0, 4)])
    expected = layer(x, rotary, edge_index)
    monkeypatch.setattr(
        line_message,
        "_edge_softmax",
        lambda logits, receiver, num_nodes: softmax(logits, receiver, num_nodes=num_nodes),
    )
    torch.testing.assert_close(layer(x, rotary, edge_index), expected)


def test_new_layer_is_the_identity():
    x, rotary = torch.randn(1, 4, 16), RotaryEncoding(8)(torch.rand(1, 4, 2))
    layer = AttentionalLineMessagePassing(16, 2)
    assert torch.equal(layer(x, rotary, graph(4, [(0, 1)])), x)


def test_no_junctions():
    layer, x = AttentionalLineMessagePassing(16, 2), torch.zeros(2, 0, 16)
    assert layer(x, torch.zeros(2, 2, 0, 4), torch.zeros(2, 0, dtype=torch.int64)) is x


def test_gradients():
    layer = layer_with_values().double()
    rotary = RotaryEncoding(8).double()(torch.rand(1, 3, 2, dtype=torch.float64)).detach()
    x = torch.randn(1, 3, 16, dtype=torch.float64, requires_grad=True)
    edge_index = graph(3, [(0, 1), (1, 2)])
    assert torch.autograd.gradcheck(lambda x: layer(x, rotary, edge_index), x)
