"""Messages along the lines of a wireframe.

This module needs torch-geometric, which takes more than a second to import. It is therefore
imported where a network with line layers is built, and nowhere else.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing
from torch_geometric.utils import scatter, softmax

from gluestick.matching.layers.attention import RotaryBlock
from gluestick.matching.layers.encoders import Pointwise, PointwiseMLP
from gluestick.precision import at_least_single

ATTENTION_EPSILON = 1e-8


def _propagate(self: MessagePassing, edge_index: Tensor, **values: Any) -> Tensor:
    """Send the messages without code made for the class.

    torch-geometric makes such code for every class that has no ``propagate`` of its own, and
    leaves the file in the temporary folder. Its messages are no faster.
    """
    return MessagePassing.propagate(self, edge_index, **values)


class LineMessagePassing(MessagePassing):
    """Line message passing of GlueStick (arXiv 2304.02008).

    Every endpoint of a line sends its junction a message made from the junction, the
    junction at the other end and the endpoint's encoding. A junction takes the mean of its
    messages, or with line attention their average weighted by a softmax over its lines.

    Args:
        descriptor_dim: The number of channels C.
        line_attention: Whether to weight the messages.
    """

    propagate = _propagate

    def __init__(self, descriptor_dim: int, *, line_attention: bool = False) -> None:
        super().__init__(aggr="sum", node_dim=0)
        self.mlp = PointwiseMLP([3 * descriptor_dim, 2 * descriptor_dim, descriptor_dim])
        self.line_attention = line_attention
        if line_attention:
            self.proj_node = Pointwise(descriptor_dim, descriptor_dim)
            self.proj_neigh = Pointwise(2 * descriptor_dim, descriptor_dim)

    def forward(
        self, x: Tensor, encoding: Tensor, line_junctions: Tensor, line_mask: Tensor
    ) -> Tensor:
        """Update the junctions of one image.

        Args:
            x: [B, P, C], the nodes.
            encoding: [B, L, 2, C], the encoded endpoints.
            line_junctions: [B, L, 2] int64, the nodes at both endpoints.
            line_mask: [B, L] bool, the lines that send messages.

        Returns:
            [B, P, C], changed only where a line sends a message.
        """
        batch_size, num_nodes, _ = x.shape
        if line_junctions.shape[1] == 0 or num_nodes == 0:
            return x
        offset = num_nodes * torch.arange(batch_size, device=x.device)
        receiver = line_junctions + offset[:, None, None]  # [B, L, 2]
        edge_index = torch.stack([receiver.flip(2), receiver]).flatten(1)  # [2, B * 2L]
        updates = self.propagate(
            edge_index,
            x=x.flatten(0, 1),
            encoding=encoding.flatten(0, 2),
            mask=line_mask[..., None].expand(-1, -1, 2).flatten(1),
        )
        return x + updates.view_as(x).to(x.dtype)

    def message(
        self,
        x_i: Tensor,
        x_j: Tensor,
        encoding: Tensor,
        mask: Tensor,
        index: Tensor,
        dim_size: int,
    ) -> Tensor:
        """Return the weighted messages, which a junction adds up.

        Args:
            x_i: [B * 2L, C], the junctions that receive the messages.
            x_j: [B * 2L, C], the junctions at the other ends.
            encoding: [B * 2L, C], the encoded endpoints.
            mask: [B, 2L] bool, the messages that are sent.
            index: [B * 2L] int64, the receiving node within the batch.
            dim_size: The number of nodes of the batch, B * P.

        Returns:
            [B * 2L, C], 0 where no message is sent.
        """
        neighbour = torch.cat([x_j, encoding], dim=-1)
        inputs = torch.cat([x_i, neighbour], dim=-1).unflatten(0, mask.shape)
        messages = self.mlp(inputs, mask).flatten(0, 1)
        if self.line_attention:
            weights = self._attention(x_i, neighbour, mask, index, dim_size)
        else:
            sent = at_least_single(mask.flatten().to(messages.dtype))
            counts = scatter(sent, index, dim_size=dim_size)
            weights = counts.clamp(min=1).reciprocal()[index]
        return torch.where(mask.flatten()[:, None], messages * weights[:, None], 0)

    def _attention(
        self, x_i: Tensor, neighbour: Tensor, mask: Tensor, index: Tensor, num_nodes: int
    ) -> Tensor:
        """Return the weight of each message, a softmax over the lines of its junction.

        The published code subtracts the largest logit m of the whole image and adds a small
        constant to the denominator. That is a softmax in which every junction has one more
        message, which says nothing, with the logit m + log(constant).

        Returns:
            [B * 2L], 0 where no message is sent.
        """
        query, key = self.proj_node(x_i), self.proj_neigh(neighbour)
        logits = at_least_single((query * key).sum(-1)) / x_i.shape[-1] ** 0.5
        logits = logits.view_as(mask).masked_fill(~mask, float("-inf"))
        largest = logits.amax(1)
        silent = torch.where(largest.isfinite(), largest, 0) + math.log(ATTENTION_EPSILON)
        silent = silent[:, None].expand(-1, num_nodes // len(mask))  # [B, P]
        nodes = torch.arange(num_nodes, device=index.device)
        weights = softmax(
            torch.cat([logits.flatten(), silent.flatten()]),
            torch.cat([index, nodes]),
            num_nodes=num_nodes,
        )
        return weights[: len(index)]


class AttentionalLineMessagePassing(RotaryBlock, MessagePassing):
    """Attention of a junction to itself and to the junctions it shares a line with.

    This is LightGlueStick's line layer (arXiv 2510.16438). It gathers the two ends of every
    edge and normalises over the edges that arrive at a junction, which costs time in
    proportion to the number of lines. The last layer starts at zero, so a new line layer is
    the identity until it is trained.

    Args:
        descriptor_dim: The number of channels C.
        num_heads: The number of heads H.
    """

    propagate = _propagate

    def __init__(self, descriptor_dim: int, num_heads: int) -> None:
        super().__init__(descriptor_dim, num_heads)
        self.node_dim = 0
        last = self.ffn[-1]
        nn.init.zeros_(last.weight)  # type: ignore[arg-type]
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, rotary: Tensor, edge_index: Tensor) -> Tensor:
        """Update the junctions of one image.

        Args:
            x: [B, J, C], the junctions.
            rotary: [2, B, J, D/2], cosine and sine.
            edge_index: [2, E] int64, the sending and the receiving junction of each edge,
                with a self-loop for every junction; junction j of image b is b * J + j.

        Returns:
            [B, J, C].
        """
        if x.shape[1] == 0:
            return x
        query, key, value = (projected.flatten(0, 1) for projected in self.project(x, rotary))
        nodes = x.flatten(0, 1)
        updated = self.propagate(edge_index, query=query, key=key, value=value, x=nodes)
        return updated.view_as(x)

    def message(
        self, query_i: Tensor, key_j: Tensor, value_j: Tensor, index: Tensor, dim_size: int
    ) -> Tensor:
        """Return the weighted values, which a junction adds up.

        Args:
            query_i: [E, H, D] of the junctions that receive the messages.
            key_j: [E, H, D] of the junctions that send them.
            value_j: [E, H, D].
            index: [E] int64, the receiving junction within the batch.
            dim_size: The number of junctions of the batch, B * J.

        Returns:
            [E, H, D].
        """
        logits = at_least_single((query_i * key_j).sum(-1)) / query_i.shape[-1] ** 0.5  # [E, H]
        weights = softmax(logits, index, num_nodes=dim_size).to(value_j.dtype)
        return weights[..., None] * value_j
