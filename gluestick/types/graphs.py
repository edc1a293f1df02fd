"""Wireframes as graphs of torch-geometric.

Importing this module imports torch-geometric; :class:`~gluestick.types.Wireframe` does so when
it is asked for a graph.
"""

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.utils import scatter

from gluestick.types.images import Wireframe


class WireframeGraph(Data):
    """The graph of one image: P nodes, E directed edges, L lines.

    torch-geometric's loaders and ``Batch`` put such graphs together and take them apart. Node,
    edge and line numbers are then counted through the batch, so that they index its tensors.

    Attributes:
        x: [P, D], the descriptors of the nodes.
        pos: [P, 2] px.
        keypoint_scores: [P].
        junction_mask: [P] bool, True for junctions, False for keypoints.
        edge_index: [2, E] int64, both directions of every line, without duplicates and
            self-loops.
        edge_attr: [E, 1], the score of the best line along each edge.
        edge_line_index: [2, M] int64, an edge and a line that runs along it, sorted. Several
            lines can run along one edge; one with both ends in one junction has no edge.
        lines: [L, 2, 2] px, with both endpoints at their junctions.
        detected_lines: [L, 2, 2] px, as the detector gave them.
        line_scores: [L], divided by the best of the image.
        line_junctions: [L, 2] int64, the nodes at both endpoints.
        image_size: [1, 2] int64, (width, height) px.
    """

    def __inc__(self, key: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        """Return how far the numbers in a field move on after this graph."""
        if key == "line_junctions":
            return self.num_nodes
        if key == "edge_line_index":
            return torch.tensor([[self.num_edges], [len(self.line_scores)]])
        return super().__inc__(key, value, *args, **kwargs)


def wireframe_graph(wireframe: Wireframe, index: int) -> WireframeGraph:
    """Return the graph of one image of a batch, without padding.

    Args:
        wireframe: The wireframes of B images, of which the padding comes last.
        index: Which image.

    Returns:
        The graph.

    Raises:
        ValueError: If there is no such image.
    """
    if not 0 <= index < wireframe.batch_size:
        raise ValueError(
            f"a batch of {wireframe.batch_size} images has the graphs 0 to "
            f"{wireframe.batch_size - 1}, found index {index}"
        )
    size = wireframe.keypoints.shape[1]
    nodes = slice(int(wireframe.keypoint_mask[index].sum()))
    lines = slice(int(wireframe.line_mask[index].sum()))
    of_image = wireframe.edge_index[0] // max(size, 1) == index
    edge_index = wireframe.edge_index[:, of_image] - index * size
    line_junctions = wireframe.line_junctions[index, lines]
    line_scores = wireframe.line_scores[index, lines]
    edge_line_index = _lines_along_edges(edge_index, line_junctions, size)
    edge, line = edge_line_index
    best = scatter(line_scores[line], edge, dim_size=edge_index.shape[1], reduce="max")
    return WireframeGraph(
        x=wireframe.descriptors[index, nodes],
        pos=wireframe.keypoints[index, nodes],
        keypoint_scores=wireframe.keypoint_scores[index, nodes],
        junction_mask=wireframe.junction_mask[index, nodes],
        edge_index=edge_index,
        edge_attr=best[:, None],
        edge_line_index=edge_line_index,
        lines=wireframe.lines[index, lines],
        detected_lines=wireframe.detected_lines[index, lines],
        line_scores=line_scores,
        line_junctions=line_junctions,
        image_size=wireframe.image_size[index : index + 1],
    )


def _lines_along_edges(edge_index: Tensor, line_junctions: Tensor, num_nodes: int) -> Tensor:
    """Return each edge with each line that runs along it, [2, M], sorted."""
    num_lines = len(line_junctions)
    ends = torch.cat([line_junctions, line_junctions.flip(1)])  # [2L, 2]
    wanted = ends[:, 0] * num_nodes + ends[:, 1]
    keys, edges = (edge_index[0] * num_nodes + edge_index[1]).sort()
    place = torch.searchsorted(keys, wanted)
    found = F.pad(keys, (0, 1), value=-1)[place] == wanted
    lines = torch.arange(num_lines, device=keys.device).repeat(2)[found]
    edges = edges[place[found]]
    return torch.stack([edges, lines])[:, (edges * num_lines + lines).argsort()]
