import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GraphConv
from torch_geometric.utils import scatter
from wireframe.test_build import corner, make_features, random_features

from gluestick.features.collate import stack_features
from gluestick.types import Features, Wireframe
from gluestick.wireframe import build_wireframe, split_wireframe

COUNTS = [(5, 4), (0, 0), (3, 0), (0, 3), (4, 1)]
"""Keypoints and lines of the images of a batch."""


def repeated() -> Features:
    """Three times the same line, one with both ends in one junction, and another."""
    line = [[1.0, 2], [30, 40]]
    short, other = [[60.0, 60], [61, 60]], [[1.0, 2], [90, 10]]
    return make_features([], [line, line[::-1], short, line, other], [1.0, 4, 3, 2, 2])


def batch() -> Wireframe:
    singles = [random_features(seed, *count) for seed, count in enumerate(COUNTS)]
    return build_wireframe(stack_features([*singles, repeated()]))


def assert_equal(actual: Data, expected: Data) -> None:
    assert set(actual.keys()) == set(expected.keys())
    for name, value in expected.to_dict().items():
        assert torch.equal(actual[name], value), name
        assert actual[name].dtype == value.dtype, name


def test_graph_of_a_corner() -> None:
    wireframe = build_wireframe(corner())
    graph = wireframe.graph()
    assert isinstance(graph, Data)
    assert graph.validate(raise_on_error=True)
    assert (graph.num_nodes, graph.num_edges) == (9, 6)
    assert torch.equal(graph.x, wireframe.descriptors[0])
    assert torch.equal(graph.pos, wireframe.keypoints[0])
    assert torch.equal(graph.keypoint_scores, wireframe.keypoint_scores[0])
    assert graph.junction_mask.tolist() == [True] * 5 + [False] * 4
    assert graph.edge_index.tolist() == [[0, 1, 1, 2, 3, 4], [1, 0, 2, 1, 4, 3]]
    assert graph.edge_line_index.tolist() == [[0, 1, 2, 3, 4, 5], [0, 0, 1, 1, 2, 2]]
    torch.testing.assert_close(graph.edge_attr, torch.tensor([0.5, 0.5, 1, 1, 0.25, 0.25])[:, None])
    assert torch.equal(graph.lines, wireframe.lines[0])
    assert torch.equal(graph.detected_lines, wireframe.detected_lines[0])
    assert torch.equal(graph.line_scores, wireframe.line_scores[0])
    assert torch.equal(graph.line_junctions, wireframe.line_junctions[0])
    assert graph.image_size.tolist() == [[100, 80]]
    assert graph.is_undirected()


def test_lines_along_edges() -> None:
    graph = build_wireframe(repeated()).graph(0)
    assert graph.line_junctions.tolist() == [[0, 1], [1, 0], [2, 2], [0, 1], [0, 3]]
    assert graph.edge_index.T.tolist() == [[0, 1], [0, 3], [1, 0], [3, 0]]
    pairs = [[0, 0], [0, 1], [0, 3], [1, 4], [2, 0], [2, 1], [2, 3], [3, 4]]
    assert graph.edge_line_index.T.tolist() == pairs
    torch.testing.assert_close(graph.edge_attr[:, 0], torch.tensor([1, 0.5, 1, 0.5]))


def test_edges_in_any_order_keep_their_lines() -> None:
    wireframe = build_wireframe(repeated())
    graph = replace(wireframe, edge_index=wireframe.edge_index[:, [2, 0, 3, 1]]).graph()
    edge, line = graph.edge_line_index
    ends = graph.edge_index[:, edge].T.sort(1).values
    assert torch.equal(ends, graph.line_junctions[line].sort(1).values)
    assert len(edge) == 8


def test_nothing_at_all() -> None:
    graph = build_wireframe(make_features([], [], [])).graph()
    assert graph.validate(raise_on_error=True)
    assert (graph.num_nodes, graph.num_edges) == (0, 0)
    assert graph.x.shape == (0, 4)
    assert graph.edge_index.shape == graph.edge_line_index.shape == (2, 0)
    assert graph.edge_attr.shape == (0, 1)
    assert graph.lines.shape == (0, 2, 2)
    assert graph.line_junctions.shape == (0, 2)


def test_one_line_without_keypoints() -> None:
    graph = build_wireframe(make_features([], [[[1.0, 2], [30, 40]]], [7.0])).graph()
    assert graph.edge_index.tolist() == [[0, 1], [1, 0]]
    assert graph.edge_line_index.tolist() == [[0, 1], [0, 0]]
    assert graph.junction_mask.all()


def test_one_line_with_both_ends_in_one_junction() -> None:
    graph = build_wireframe(make_features([], [[[1.0, 2], [3, 2]]], [7.0])).graph()
    assert (graph.num_nodes, graph.num_edges) == (1, 0)
    assert graph.line_junctions.tolist() == [[0, 0]]
    assert graph.edge_line_index.shape == (2, 0)


def test_an_image_of_a_batch_gives_what_it_gives_alone() -> None:
    wireframes = batch()
    for index, single in enumerate(split_wireframe(wireframes)):
        assert_equal(wireframes.graph(index), single.graph())


def test_a_batch_can_be_taken_apart() -> None:
    wireframes = batch()
    graphs = wireframes.graphs()
    assert isinstance(graphs, Batch)
    assert graphs.num_graphs == wireframes.batch_size
    assert graphs.validate(raise_on_error=True)
    assert torch.equal(graphs.image_size, wireframes.image_size)
    for index, graph in enumerate(graphs.to_data_list()):
        assert_equal(graph, wireframes.graph(index))
        assert_equal(graphs[index], wireframes.graph(index))


def test_numbers_of_a_batch_index_its_tensors() -> None:
    graphs = batch().graphs()
    torch.testing.assert_close(graphs.pos[graphs.line_junctions], graphs.lines)
    assert graphs.junction_mask[graphs.line_junctions].all()
    edge, line = graphs.edge_line_index
    ends = graphs.edge_index[:, edge].T.sort(1).values
    assert torch.equal(ends, graphs.line_junctions[line].sort(1).values)
    best = scatter(graphs.line_scores[line], edge, dim_size=graphs.num_edges, reduce="max")
    assert torch.equal(best, graphs.edge_attr[:, 0])
    distinct = graphs.line_junctions[:, 0] != graphs.line_junctions[:, 1]
    assert len(edge) == 2 * distinct.sum()


def test_batches_of_empty_images() -> None:
    empty = make_features([], [], [])
    graphs = build_wireframe(stack_features([empty, empty])).graphs()
    assert (graphs.num_graphs, graphs.num_nodes) == (2, 0)
    assert [graph.num_edges for graph in graphs.to_data_list()] == [0, 0]


def test_a_loader_takes_graphs() -> None:
    wireframes = batch()
    loader = DataLoader([wireframes.graph(index) for index in (0, 4, 5)], batch_size=3)
    (graphs,) = loader
    assert_equal(graphs.to_data_list()[2], wireframes.graph(5))


def test_layers_run_and_gradients_flow() -> None:
    torch.manual_seed(0)
    wireframe = batch()
    wireframe.descriptors.requires_grad_()
    graphs = wireframe.graphs()
    layer = GraphConv(4, 8)
    layer(graphs.x, graphs.edge_index, graphs.edge_attr[:, 0]).square().sum().backward()
    gradient = wireframe.descriptors.grad
    assert gradient[wireframe.keypoint_mask].any(1).all()
    assert not gradient[~wireframe.keypoint_mask].any()


def test_bad_images_are_refused() -> None:
    wireframes = batch()
    with pytest.raises(ValueError, match="the batch has 6 images: say which one"):
        wireframes.graph()
    for index in (6, -1):
        with pytest.raises(ValueError, match=f"has the graphs 0 to 5, found index {index}"):
            wireframes.graph(index)


SCRIPT = """
import sys
import torch
from gluestick import PointLineMatcher
from gluestick.matching import LightGlueStick, LightGlueStickConfig

def imported():
    return "torch_geometric" in sys.modules

image = torch.zeros(3, 96, 96)
image[:, 30:70, 20:60] = 1
wireframe, _, _ = PointLineMatcher.from_pretrained()(image, image)
print(len(wireframe.line_scores[0]) > 0, imported())
LightGlueStick(LightGlueStickConfig(line_layers=(), num_layers=1))
print(imported())
wireframe.graph()
print(imported())
"""


def test_only_graphs_import_torch_geometric() -> None:
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["True", "False", "False", "True"]
