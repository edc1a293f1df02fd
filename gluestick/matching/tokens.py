"""The nodes of a batch of wireframes as the attention layers see them."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from gluestick.matching.inputs import NodeCounts, count_nodes
from gluestick.types import Wireframe


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Nodes in two groups of equal size for all images: junctions, then keypoints.

    Attributes:
        x: [B, S, C], the descriptors; slots below ``num_junctions`` hold junctions.
        rotary: [2, B, S, D/2], the encoded positions.
        nodes: [B, S] int64, the node of the wireframe in each slot.
        real: [B, S] bool, False for padding.
        mask: ``real``, or None where there is no padding.
        num_junctions: How many slots hold junctions, J.
        edge_index: [2, E] int64, the edges between junctions, with a self-loop for each;
            junction j of image b is b * J + j.
        ordered: Whether the slots are the nodes of every image, in their order.
    """

    x: Tensor
    rotary: Tensor
    nodes: Tensor
    real: Tensor
    mask: Tensor | None
    num_junctions: int
    edge_index: Tensor
    ordered: bool

    def take_pairs(self, chosen: Tensor) -> "Tokens":
        """Return the tokens of the images where ``chosen`` [B] is True."""
        image = self.edge_index[0] // max(self.num_junctions, 1)
        shift = torch.cumsum(chosen, 0) - 1 - torch.arange(len(chosen), device=chosen.device)
        edges = (self.edge_index + self.num_junctions * shift[image])[:, chosen[image]]
        real = self.real[chosen]
        return replace(
            self,
            x=self.x[chosen],
            rotary=self.rotary[:, chosen],
            nodes=self.nodes[chosen],
            real=real,
            mask=None if real.all() else real,
            edge_index=edges,
        )

    def keep_keypoints(self, keep: Tensor) -> "Tokens":
        """Drop the keypoints where ``keep`` [B, S] is False; junctions stay.

        The keypoints that stay keep their order and move to the front of their group, which
        shrinks to the largest number kept in an image.
        """
        junction = torch.arange(keep.shape[1], device=keep.device) < self.num_junctions
        keep = self.real & (keep | junction)
        if torch.equal(keep, self.real):
            return self
        size = self.num_junctions + int(keep[:, self.num_junctions :].sum(1).max())
        order = torch.argsort((~(keep | junction)).byte(), dim=1, stable=True)[:, :size]
        real = keep.gather(1, order)
        return replace(
            self,
            x=_chosen(self.x, order, dim=1),
            rotary=_chosen(self.rotary, order, dim=2),
            nodes=self.nodes.gather(1, order),
            real=real,
            mask=None if real.all() else real,
            ordered=False,
        )

    def slot_of_node(self, num_nodes: int) -> Tensor:
        """Return where each node is, [B, P+1]: S for the dustbin, S+1 for an absent node."""
        batch_size, size = self.nodes.shape
        slots = torch.full((batch_size, num_nodes + 1), size + 1, device=self.nodes.device)
        target = torch.where(self.real, self.nodes, num_nodes)
        slots.scatter_(1, target, torch.arange(size, device=slots.device).expand_as(target))
        slots[:, num_nodes] = size
        return slots


def tokenize(
    wireframe: Wireframe,
    x: Tensor,
    rotary: Tensor,
    *,
    counts: NodeCounts | None = None,
    with_junctions: bool = True,
) -> Tokens:
    """Arrange the nodes of a batch of wireframes.

    Args:
        wireframe: The wireframes, with P nodes each.
        x: [B, P, C], the descriptors of the nodes.
        rotary: [2, B, P, D/2], their encoded positions.
        counts: How many nodes each wireframe has; a device has to be asked if it is left out.
        with_junctions: Whether junctions have slots.

    Returns:
        The tokens; without padding where the batch has one image.
    """
    counts = counts or count_nodes(wireframe)
    num_junctions = wireframe.num_junctions[:, None]
    num_keypoints = wireframe.keypoint_mask.sum(1, keepdim=True) - num_junctions
    if not with_junctions:
        counts = NodeCounts([0] * len(counts.junctions), counts.keypoints)
    junctions = max(counts.junctions)
    slot = torch.arange(junctions + max(counts.keypoints), device=x.device)[None]
    real = torch.where(
        slot < junctions, slot < num_junctions, slot - junctions < num_keypoints
    )  # [B, S]
    nodes = torch.where(slot < junctions, slot, slot - junctions + num_junctions) * real
    padded = not counts.equal
    ordered = real.shape[1] == x.shape[1] and not padded
    if not ordered:
        x, rotary = _chosen(x, nodes, dim=1), _chosen(rotary, nodes, dim=2)
    return Tokens(
        x=x,
        rotary=rotary,
        nodes=nodes,
        real=real,
        mask=real if padded else None,
        num_junctions=junctions,
        edge_index=_junction_edges(wireframe, junctions),
        ordered=ordered,
    )


def _junction_edges(wireframe: Wireframe, num_junctions: int) -> Tensor:
    """Renumber the edges from nodes to junctions and add the self-loops, [2, E]."""
    batch_size, num_nodes = wireframe.keypoint_mask.shape
    if num_junctions == 0:
        return wireframe.edge_index[:, :0]
    edges = wireframe.edge_index
    image = edges // max(num_nodes, 1)
    edges = edges - image * (num_nodes - num_junctions)
    loops = torch.arange(batch_size * num_junctions, device=edges.device)
    return torch.cat([edges, loops.expand(2, -1)], dim=1)


def to_nodes(
    assignment: Tensor, tokens0: Tokens, tokens1: Tokens, *, shape: tuple[int, int]
) -> Tensor:
    """Reorder an assignment between slots to one between nodes.

    Args:
        assignment: [B, S0+1, S1+1].
        tokens0: What the rows stand for.
        tokens1: What the columns stand for.
        shape: The numbers of nodes P0 and P1.

    Returns:
        [B, P0+1, P1+1]; nodes that are padding or have been dropped have -inf for every pair
        and 0 for staying unmatched.
    """
    if tokens0.ordered and tokens1.ordered:
        return assignment
    padded = F.pad(assignment, (0, 1, 0, 1), value=float("-inf"))
    padded[:, -1, -2] = 0
    padded[:, -2, -1] = 0
    rows, columns = tokens0.slot_of_node(shape[0]), tokens1.slot_of_node(shape[1])
    return _chosen(_chosen(padded, rows, dim=1), columns, dim=2)


def _chosen(values: Tensor, index: Tensor, *, dim: int) -> Tensor:
    """Return for each image of a batch the entries that are chosen along a dimension.

    Args:
        values: [B, ...] or, as encoded positions are, [2, B, S, D/2].
        index: [B, M] int64.
        dim: The dimension.
    """
    if len(index) == 1:  # some ten times as fast
        return values.index_select(dim, index[0])
    batch = 1 if values.ndim == 4 else 0
    shape = [1] * values.ndim
    shape[batch], shape[dim] = index.shape
    return torch.take_along_dim(values, index.view(shape), dim)
