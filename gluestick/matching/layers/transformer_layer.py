"""A layer of LightGlueStick (arXiv 2510.16438): LightGlue's, with messages along the lines."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from gluestick.matching.layers.attention import CrossBlock, SelfBlock
from gluestick.matching.tokens import Tokens


class TransformerLayer(nn.Module):
    """Self attention, messages along the lines if asked for, and cross attention.

    Args:
        dim: The number of channels.
        num_heads: Attention heads.
        one_way: Whether keypoints attend to keypoints only.
        with_lines: Whether to pass messages along the lines.
    """

    def __init__(self, dim: int, num_heads: int, *, one_way: bool, with_lines: bool) -> None:
        super().__init__()
        self.one_way = one_way
        self.self_attn = SelfBlock(dim, num_heads)
        self.line_layer: nn.Module | None = None
        if with_lines:  # here, because importing it brings torch-geometric
            from gluestick.matching.layers.line_message import AttentionalLineMessagePassing

            self.line_layer = AttentionalLineMessagePassing(dim, num_heads)
        self.cross_attn = CrossBlock(dim, num_heads)

    def forward(self, tokens0: Tokens, tokens1: Tokens) -> tuple[Tokens, Tokens]:
        """Return the tokens of both images with new descriptors."""
        x0, x1 = self.cross_attn(
            self._within(tokens0),
            self._within(tokens1),
            tokens0.mask,
            tokens1.mask,
            num_junctions0=self._num_one_way(tokens0),
            num_junctions1=self._num_one_way(tokens1),
        )
        return replace(tokens0, x=x0), replace(tokens1, x=x1)

    def _num_one_way(self, tokens: Tokens) -> int:
        return tokens.num_junctions if self.one_way else 0

    def _within(self, tokens: Tokens) -> Tensor:
        x = self.self_attn(
            tokens.x, tokens.rotary, tokens.mask, num_junctions=self._num_one_way(tokens)
        )
        if self.line_layer is None or tokens.num_junctions == 0:
            return x
        junctions, keypoints = x.tensor_split((tokens.num_junctions,), dim=1)
        rotary = tokens.rotary[:, :, : tokens.num_junctions]
        return torch.cat([self.line_layer(junctions, rotary, tokens.edge_index), keypoints], dim=1)
