"""Messages along the lines of a wireframe."""

import torch
from torch import Tensor, nn

from gluestick.matching.attention import RotaryBlock
from gluestick.matching.encoders import Pointwise, PointwiseMLP

ATTENTION_EPSILON = 1e-8


class LineMessagePassing(nn.Module):
    """Line message passing of GlueStick (arXiv 2304.02008).

    Every endpoint of a line sends its junction a message made from the junction, the
    junction at the other end and the endpoint's encoding. A junction takes the mean of its
    messages, or with line attention their average weighted by a softmax over its lines.

    Args:
        descriptor_dim: The number of channels C.
        line_attention: Whether to weight the messages.
    """

    def __init__(self, descriptor_dim: int, *, line_attention: bool = False) -> None:
        super().__init__()
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
        batch_size, num_nodes, channels = x.shape
        if line_junctions.shape[1] == 0 or num_nodes == 0:
            return x
        offset = num_nodes * torch.arange(batch_size, device=x.device)
        index = (line_junctions + offset[:, None, None]).flatten()  # [B * L * 2]
        mask = line_mask[..., None].expand(-1, -1, 2).flatten(1)  # [B, 2L]

        own = x.flatten(0, 1)[index].unflatten(0, line_junctions.shape)  # [B, L, 2, C]
        neighbour = torch.cat([own.flip(2), encoding], dim=-1).flatten(1, 2)  # [B, 2L, 2C]
        own = own.flatten(1, 2)
        messages = self.mlp(torch.cat([own, neighbour], dim=-1), mask)
        if self.line_attention:
            weights = self._attention(own, neighbour, index, mask, num_nodes)
        else:
            weights = _inverse_counts(index, mask, num_nodes)
        weighted = torch.where(mask[..., None], messages * weights[..., None], 0)
        updates = weighted.new_zeros(batch_size * num_nodes, channels)
        updates = updates.index_add(0, index, weighted.flatten(0, 1))
        return x + updates.view_as(x).to(x.dtype)

    def _attention(
        self, own: Tensor, neighbour: Tensor, index: Tensor, mask: Tensor, num_nodes: int
    ) -> Tensor:
        """Return the weight of each message, a softmax over the lines of its junction.

        The largest logit of the whole image is subtracted and a small constant added to the
        denominator, as in the published code.

        Args:
            own: [B, 2L, C], the junctions that receive the messages.
            neighbour: [B, 2L, 2C], the other junctions and the endpoint encodings.
            index: [B * 2L] int64, the receiving node within the batch.
            mask: [B, 2L] bool, the messages that are sent.
            num_nodes: The number of nodes P per image.

        Returns:
            [B, 2L], 0 where no message is sent.
        """
        query, key = self.proj_node(own), self.proj_neigh(neighbour)
        logits = (query * key).sum(-1) / own.shape[-1] ** 0.5
        logits = logits.masked_fill(~mask, float("-inf"))
        largest = logits.amax(1, keepdim=True)
        weights = torch.exp(logits - torch.where(largest.isfinite(), largest, 0))
        total = weights.new_zeros(len(mask) * num_nodes)
        total = total.index_add(0, index, weights.flatten())
        return weights / (total[index].view_as(weights) + ATTENTION_EPSILON)


def _inverse_counts(index: Tensor, mask: Tensor, num_nodes: int) -> Tensor:
    """Return one over the number of messages that each receiving node gets, [B, 2L]."""
    sent = mask.flatten().to(torch.get_default_dtype())
    counts = sent.new_zeros(len(mask) * num_nodes).index_add(0, index, sent)
    return counts.clamp(min=1).reciprocal()[index].view(mask.shape)


class AttentionalLineMessagePassing(RotaryBlock):
    """Attention of a junction to itself and to the junctions it shares a line with.

    This is LightGlueStick's line layer (arXiv 2510.16438). It gathers the two ends of every
    edge and normalises over the edges that arrive at a junction, which costs time in
    proportion to the number of lines. The last layer starts at zero, so a new line layer is
    the identity until it is trained.

    Args:
        descriptor_dim: The number of channels C.
        num_heads: The number of heads H.
    """

    def __init__(self, descriptor_dim: int, num_heads: int) -> None:
        super().__init__(descriptor_dim, num_heads)
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
        sender, receiver = edge_index
        logits = (query[receiver] * key[sender]).sum(-1) / query.shape[-1] ** 0.5  # [E, H]
        weights = _edge_softmax(logits, receiver, num_nodes=len(query)).to(value.dtype)
        context = torch.zeros_like(value).index_add(
            0, receiver, weights[..., None] * value[sender]
        )  # [B * J, H, D]
        return self.update(x, context.unflatten(0, x.shape[:2]))


def _edge_softmax(logits: Tensor, receiver: Tensor, *, num_nodes: int) -> Tensor:
    """Normalise the logits [E, H] of all edges that arrive at the same node."""
    index = receiver[:, None].expand_as(logits)
    largest = logits.new_full((num_nodes, logits.shape[1]), float("-inf"))
    largest = largest.scatter_reduce(0, index, logits.detach(), "amax")
    weights = torch.exp(logits - largest[receiver])
    total = weights.new_zeros(largest.shape).index_add(0, receiver, weights)
    return weights / total[receiver]
