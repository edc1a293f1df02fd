import pytest
import torch
from torch import Tensor

from gluestick.matching.layers.attention import (
    CrossBlock,
    MultiHeadAttention,
    SelfBlock,
    attend,
    attend_one_way,
)
from gluestick.matching.layers.encoders import RotaryEncoding


def heads(*sizes: int) -> list[Tensor]:
    torch.manual_seed(0)
    return [torch.randn(2, size, 3, 4) for size in sizes]


def explicit(query: Tensor, key: Tensor, value: Tensor, allowed: Tensor) -> Tensor:
    """Attention with every pair [B, Q, K] that is allowed, written out."""
    logits = torch.einsum("bqhd,bkhd->bhqk", query, key) / query.shape[-1] ** 0.5
    logits = logits.masked_fill(~allowed[:, None], float("-inf"))
    return torch.einsum("bhqk,bkhd->bqhd", logits.softmax(-1), value)


def test_attend():
    query, key, value = heads(5, 7, 7)
    allowed = torch.ones(2, 5, 7, dtype=torch.bool)
    torch.testing.assert_close(attend(query, key, value), explicit(query, key, value, allowed))


def test_attend_with_mask():
    query, key, value = heads(5, 7, 7)
    mask = torch.arange(7) < torch.tensor([[4], [7]])
    expected = explicit(query, key, value, mask[:, None].expand(-1, 5, -1))
    torch.testing.assert_close(attend(query, key, value, mask), expected)


def test_attend_to_nothing():
    query, key, value = (tensor.requires_grad_() for tensor in heads(5, 7, 7))
    mask = torch.tensor([[False] * 7, [True] * 7])
    context = attend(query, key, value, mask)
    assert (context[0] == 0).all()
    context.sum().backward()
    assert query.grad.isfinite().all()
    assert (value.grad[0] == 0).all()
    assert (attend(query, key[:, :0], value[:, :0]) == 0).all()
    assert attend(query[:, :0], key, value).shape == (2, 0, 3, 4)


@pytest.mark.parametrize(("num_query", "num_key"), [(2, 3), (0, 3), (2, 0), (0, 0), (5, 7)])
@pytest.mark.parametrize("padded", [False, True])
def test_attend_one_way(num_query, num_key, padded):
    query, key, value = heads(5, 7, 7)
    mask = torch.ones(2, 7, dtype=torch.bool)
    mask[0, 6] = not padded or num_key == 7
    allowed = mask[:, None].expand(-1, 5, -1).clone()
    allowed[:, num_query:, :num_key] = False
    context = attend_one_way(
        query,
        key,
        value,
        mask if padded else None,
        num_query_junctions=num_query,
        num_key_junctions=num_key,
    )
    torch.testing.assert_close(context, explicit(query, key, value, allowed))


def test_gluestick_heads_run_fastest():
    attention = MultiHeadAttention(12, 3)
    x, source = torch.randn(2, 5, 12), torch.randn(2, 7, 12)
    query, key, value = (
        (nodes @ layer.weight[:, :, 0].T + layer.bias).unflatten(-1, (4, 3)).mT
        for layer, nodes in zip(attention.proj, (x, source, source), strict=True)
    )
    allowed = torch.ones(2, 5, 7, dtype=torch.bool)
    context = explicit(query, key, value, allowed).mT.flatten(2)
    torch.testing.assert_close(attention(x, source, None), attention.merge(context))


def rotate(x: Tensor, rotary: Tensor) -> Tensor:
    """Rotate neighbouring channels of [B, S, H, D] by angles [2, B, S, D/2]."""
    cosine, sine = rotary[:, :, :, None]
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cosine - odd * sine, odd * cosine + even * sine], -1).flatten(-2)


def test_self_block_follows_the_published_layout():
    block = SelfBlock(16, 2)
    x, rotary = torch.randn(2, 5, 16), RotaryEncoding(8)(torch.rand(2, 5, 2))
    query, key, value = block.Wqkv(x).unflatten(-1, (2, 8, 3)).unbind(-1)
    allowed = torch.ones(2, 5, 5, dtype=torch.bool)
    context = explicit(rotate(query, rotary), rotate(key, rotary), value, allowed)
    message = block.out_proj(context.flatten(2))
    expected = x + block.ffn(torch.cat([x, message], -1))
    torch.testing.assert_close(block(x, rotary, None), expected, atol=1e-5, rtol=1e-5)


def test_self_block_sees_relative_positions_only():
    block, encoding = SelfBlock(16, 2), RotaryEncoding(8)
    x, keypoints = torch.randn(2, 5, 16), torch.rand(2, 5, 2)
    moved = block(x, encoding(keypoints + 0.3), None)
    torch.testing.assert_close(moved, block(x, encoding(keypoints), None), atol=1e-5, rtol=1e-5)


def test_cross_block_updates_both_from_the_old_values():
    block = CrossBlock(16, 2)
    x0, x1 = torch.randn(2, 5, 16), torch.randn(2, 7, 16)
    y0, y1 = block(x0, x1, None, None)
    swapped1, swapped0 = block(x1, x0, None, None)
    torch.testing.assert_close(y0, swapped0)
    torch.testing.assert_close(y1, swapped1)
    for y, old in ((y0, x0), (y1, x1)):
        assert y.shape == old.shape
        assert not torch.allclose(y, old)


def test_gradients():
    block = CrossBlock(8, 2).double()
    x0 = torch.randn(1, 3, 8, dtype=torch.float64, requires_grad=True)
    x1 = torch.randn(1, 4, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x0, x1: block(x0, x1, None, None, num_junctions0=1, num_junctions1=2), (x0, x1)
    )
