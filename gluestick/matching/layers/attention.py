"""Attention within and across images.

A mask says which keys are real, None means all of them. Without a mask, the fast attention
kernels apply on every device.
"""

from typing import NamedTuple, cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from gluestick.matching.layers.encoders import Pointwise, PointwiseMLP


class KeysAndValues(NamedTuple):
    """What nodes offer to those that attend to them.

    Attributes:
        keys: [B, S, H, D].
        values: [B, S, H, D].
    """

    keys: Tensor
    values: Tensor


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """Scaled dot-product attention that gives zero where there is no key.

    Args:
        query: [B, Q, H, D].
        key: [B, K, H, D].
        value: [B, K, H, D].
        mask: [B, K] bool, the real keys; None for all.

    Returns:
        [B, Q, H, D]; zero for an image without a real key.
    """
    if query.shape[1] == 0 or key.shape[1] == 0:
        return torch.zeros_like(query)
    attn_mask, has_keys = None, None
    if mask is not None:
        has_keys = mask.any(1, keepdim=True)  # [B, 1]
        attn_mask = (mask | ~has_keys)[:, None, None]  # [B, 1, 1, K]
    context = F.scaled_dot_product_attention(
        query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), attn_mask=attn_mask
    ).transpose(1, 2)
    return context if has_keys is None else context * has_keys[:, :, None, None]


def attend_one_way(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    *,
    num_query_junctions: int,
    num_key_junctions: int,
) -> Tensor:
    """Attention in which keypoints see keypoints only, while junctions see everything.

    Both sides hold junctions first, then keypoints. With no junctions on both sides it is
    ordinary attention.

    Args:
        query: [B, Q, H, D].
        key: [B, K, H, D].
        value: [B, K, H, D].
        mask: [B, K] bool, the real keys; None for all.
        num_query_junctions: How many of the queries are junctions.
        num_key_junctions: How many of the keys are junctions.

    Returns:
        [B, Q, H, D].
    """
    keypoints = slice(num_key_junctions, None)
    context = attend(
        query[:, num_query_junctions:],
        key[:, keypoints],
        value[:, keypoints],
        None if mask is None else mask[:, keypoints],
    )
    if num_query_junctions == 0:
        return context
    return torch.cat([attend(query[:, :num_query_junctions], key, value, mask), context], dim=1)


class MultiHeadAttention(nn.Module):
    """Multi-head attention of GlueStick, in which the head runs fastest: c = d * H + h.

    Args:
        descriptor_dim: The number of channels C.
        num_heads: The number of heads H, a divisor of C.
    """

    def __init__(self, descriptor_dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.merge = Pointwise(descriptor_dim, descriptor_dim)
        self.proj = nn.ModuleList(Pointwise(descriptor_dim, descriptor_dim) for _ in range(3))

    def forward(self, x: Tensor, source: Tensor, source_mask: Tensor | None) -> Tensor:
        """Gather messages from a source.

        Args:
            x: [B, P, C].
            source: [B, Q, C].
            source_mask: [B, Q] bool, the real entries; None for all.

        Returns:
            [B, P, C].
        """
        inputs = zip(self.proj, (x, source, source), strict=True)
        query, key, value = (self._heads(cast(Pointwise, layer), nodes) for layer, nodes in inputs)
        context = attend(query, key, value, source_mask).flatten(2)
        weight = self.merge.weight[:, :, 0].unflatten(1, (-1, self.num_heads))
        return F.linear(context, weight.transpose(1, 2).flatten(1), self.merge.bias)

    def _heads(self, projection: Pointwise, x: Tensor) -> Tensor:
        """Project [B, P, C] to [B, P, H, D], with the weight's rows in that order."""
        weight = projection.weight[:, :, 0].unflatten(0, (-1, self.num_heads))
        weight = weight.transpose(0, 1).flatten(0, 1)
        bias = cast(Tensor, projection.bias).unflatten(0, (-1, self.num_heads)).t().flatten()
        return F.linear(x, weight, bias).unflatten(-1, (self.num_heads, -1))


class AttentionalPropagation(nn.Module):
    """The update of a node from its attention message (SuperGlue, equation 3).

    Args:
        descriptor_dim: The number of channels C.
        num_heads: The number of heads.
    """

    def __init__(self, descriptor_dim: int, num_heads: int) -> None:
        super().__init__()
        self.attn = MultiHeadAttention(descriptor_dim, num_heads)
        self.mlp = PointwiseMLP([2 * descriptor_dim, 2 * descriptor_dim, descriptor_dim])

    def forward(
        self, x: Tensor, source: Tensor, mask: Tensor | None, source_mask: Tensor | None
    ) -> Tensor:
        """Return the update [B, P, C] of ``x`` from ``source`` [B, Q, C] and their masks."""
        message = self.attn(x, source, source_mask)
        return self.mlp(torch.cat([x, message], dim=-1), mask)


class FeedForward(nn.Sequential):
    """The perceptron of LightGlue's blocks, from [x, message] to the update of x.

    Args:
        descriptor_dim: The number of channels C; the input has 2 C.
    """

    def __init__(self, descriptor_dim: int) -> None:
        super().__init__(
            nn.Linear(2 * descriptor_dim, 2 * descriptor_dim),
            nn.LayerNorm(2 * descriptor_dim),
            nn.GELU(),
            nn.Linear(2 * descriptor_dim, descriptor_dim),
        )

    def update(self, projection: nn.Linear, *sides: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
        """Return x + perceptron([x, projection(context)]) for each context and x.

        The projection and the first layer have nothing between them, so they are multiplied once
        for all sides: nodes are then multiplied by one matrix in place of two.

        Args:
            projection: From C channels to C.
            *sides: For each side the attention context [..., C], and x [..., C].
        """
        first = cast(nn.Linear, self[0])
        of_x, of_message = first.weight.chunk(2, dim=1)
        of_context = of_message @ projection.weight
        bias = first.bias + of_message @ cast(Tensor, projection.bias)
        updated = []
        for context, x in sides:
            hidden = F.linear(x.flatten(0, -2), of_x, bias)
            hidden = hidden.addmm_(context.flatten(0, -2), of_context.T)
            for layer in list(self)[1:]:
                hidden = layer(hidden)
            updated.append(x + hidden.view_as(x))
        return tuple(updated)


class RotaryBlock(nn.Module):
    """What LightGlue's self attention and the line messages share.

    It can be combined with another base class that takes no arguments.

    Args:
        descriptor_dim: The number of channels C.
        num_heads: The number of heads H; C / H must be even.
    """

    def __init__(self, descriptor_dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.Wqkv = nn.Linear(descriptor_dim, 3 * descriptor_dim)
        self.out_proj = nn.Linear(descriptor_dim, descriptor_dim)
        self.ffn = FeedForward(descriptor_dim)

    def project(self, x: Tensor, rotary: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values, with queries and keys rotated by position.

        In the stored weight, query, key and value run fastest, then the channels of a head,
        whose neighbours (2i, 2i + 1) are rotated together. The weight's rows are put in the
        order of contiguous results instead; queries and keys get the even channels of a head
        first, then the odd ones, which leaves their products unchanged.

        Args:
            x: [B, S, C].
            rotary: [2, B, S, D/2], cosine and sine.

        Returns:
            Three tensors [B, S, H, D].
        """
        num_heads, channels = self.num_heads, x.shape[-1]
        weight = self.Wqkv.weight.view(num_heads, -1, 2, 3, channels).permute(3, 0, 2, 1, 4)
        bias = self.Wqkv.bias.view(num_heads, -1, 2, 3).permute(3, 0, 2, 1)
        query_key = F.linear(x, weight[:2].reshape(-1, channels), bias[:2].reshape(-1))
        value = F.linear(
            x, weight[2].transpose(1, 2).reshape(channels, channels), bias[2].mT.reshape(-1)
        )
        even, odd = query_key.unflatten(-1, (2, num_heads, 2, -1)).unbind(-2)  # [B, S, 2, H, D/2]
        cosine, sine = rotary[:, :, :, None, None].unbind()
        rotated = torch.cat([even * cosine - odd * sine, odd * cosine + even * sine], dim=-1)
        query, key = rotated.to(query_key.dtype).unbind(2)
        return query, key, value.unflatten(-1, (num_heads, -1))

    def update(self, context: Tensor, x: Tensor) -> Tensor:
        """Add to ``x`` [..., C] what follows from its attention context [..., H, D]."""
        (updated,) = self.ffn.update(self.out_proj, (context.flatten(-2), x))
        return updated


class SelfBlock(RotaryBlock):
    """Attention within an image (LightGlue, arXiv 2306.13643)."""

    def forward(
        self, x: Tensor, rotary: Tensor, mask: Tensor | None, *, num_junctions: int = 0
    ) -> Tensor:
        """Update the descriptors of one image.

        Args:
            x: [B, S, C], the junctions that attend one way first, then the others.
            rotary: [2, B, S, D/2], cosine and sine.
            mask: [B, S] bool, the real entries; None for all.
            num_junctions: How many entries attend one way.

        Returns:
            [B, S, C].
        """
        query, key, value = self.project(x, rotary)
        context = attend_one_way(
            query,
            key,
            value,
            mask,
            num_query_junctions=num_junctions,
            num_key_junctions=num_junctions,
        )
        return self.update(context, x)


class CrossBlock(nn.Module):
    """Attention across two images with shared queries and keys (LightGlue).

    Args:
        descriptor_dim: The number of channels C.
        num_heads: The number of heads H.
    """

    def __init__(self, descriptor_dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.to_qk = nn.Linear(descriptor_dim, descriptor_dim)
        self.to_v = nn.Linear(descriptor_dim, descriptor_dim)
        self.to_out = nn.Linear(descriptor_dim, descriptor_dim)
        self.ffn = FeedForward(descriptor_dim)

    def forward(
        self,
        x0: Tensor,
        x1: Tensor,
        mask0: Tensor | None,
        mask1: Tensor | None,
        *,
        num_junctions0: int = 0,
        num_junctions1: int = 0,
    ) -> tuple[Tensor, Tensor]:
        """Update the descriptors of both images from the same old values.

        Args:
            x0: [B, S0, C], the junctions that attend one way first, then the others.
            x1: [B, S1, C].
            mask0: [B, S0] bool, the real entries; None for all.
            mask1: [B, S1] bool.
            num_junctions0: How many entries of image 0 attend one way.
            num_junctions1: How many entries of image 1 attend one way.

        Returns:
            The new [B, S0, C] and [B, S1, C].
        """
        (key0, value0), (key1, value1) = self.keys_and_values(x0), self.keys_and_values(x1)
        junctions0, junctions1 = num_junctions0, num_junctions1
        context0 = attend_one_way(
            key0, key1, value1, mask1, num_query_junctions=junctions0, num_key_junctions=junctions1
        )
        context1 = attend_one_way(
            key1, key0, value0, mask0, num_query_junctions=junctions1, num_key_junctions=junctions0
        )
        updated0, updated1 = self.ffn.update(
            self.to_out, (context0.flatten(-2), x0), (context1.flatten(-2), x1)
        )
        return updated0, updated1

    def keys_and_values(self, x: Tensor) -> KeysAndValues:
        """Return the keys, which are the queries as well, and the values."""
        heads = self.num_heads, -1
        return KeysAndValues(self.to_qk(x).unflatten(-1, heads), self.to_v(x).unflatten(-1, heads))

    def update(self, context: Tensor, x: Tensor) -> Tensor:
        """Add to ``x`` [..., C] what follows from its attention context [..., H, D]."""
        (updated,) = self.ffn.update(self.to_out, (context.flatten(-2), x))
        return updated
