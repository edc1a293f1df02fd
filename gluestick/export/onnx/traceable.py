"""The graphs of a model, with examples by which they can be traced."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gluestick.export.onnx.aliked_graph import AlikedGraph
from gluestick.export.onnx.detector import Detections, DetectorGraph, PointGraph
from gluestick.export.onnx.line_head import LineHeadGraph, LineMatches, Segments
from gluestick.export.onnx.matcher import MatcherGraph, NodeMatches, Nodes
from gluestick.export.onnx.xfeat_graph import XFeatGraph
from gluestick.features.points.aliked import Aliked
from gluestick.features.points.xfeat import XFeat
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.line_heads.same_line import SameLineHead
from gluestick.pipeline import PointLineMatcher

_BATCH, _LINES, _KEYPOINTS, _JUNCTIONS = 2, 20, 24, 40
_OTHERS = {"K1": 25, "J1": 42}
"""Sizes of the examples that graphs are traced with; equal sizes would count as one."""


class TraceableGraph(NamedTuple):
    """A graph, an example of its inputs, and which of their sizes are dynamic.

    Attributes:
        graph: The module.
        arguments: Example arguments.
        inputs: The name of each tensor, with the names of its sizes, a number where fixed.
        outputs: The names of the results.
    """

    graph: nn.Module
    arguments: tuple[Any, ...]
    inputs: Mapping[str, str]
    outputs: Sequence[str]


class FlatGraph(nn.Module):
    """A graph that takes tensors one by one, where its own arguments are tuples of tensors.

    Args:
        graph: The graph.
        arguments: An example of its arguments.
    """

    def __init__(self, graph: nn.Module, arguments: Sequence[Any]) -> None:
        super().__init__()
        self.graph = graph
        self._kinds = [None if isinstance(value, Tensor) else type(value) for value in arguments]

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Run the graph on the tensors of all arguments."""
        values = iter(tensors)
        return tuple(
            self.graph(
                *(
                    next(values) if kind is None else kind(*(next(values) for _ in kind._fields))
                    for kind in self._kinds
                )
            )
        )


def flat_values(arguments: Sequence[Any]) -> tuple[Tensor, ...]:
    """Return the tensors of all arguments in a row."""
    return tuple(
        value
        for argument in arguments
        for value in ((argument,) if isinstance(argument, Tensor) else argument)
    )


def traceable_graphs(matcher: PointLineMatcher) -> dict[str, TraceableGraph]:
    """Take a model apart into the graphs that are exported.

    Args:
        matcher: The model.

    Returns:
        The graphs by the names of their files.

    Raises:
        ValueError: If the model has parts that cannot be exported.
    """
    network = matcher.network
    detector = None if matcher.extractor is None else matcher.extractor.point_detector
    points = point_graph(detector)
    needed = {
        "the detector ALIKED or XFeat": points is not None,
        "the network LightGlueStick": isinstance(network, LightGlueStick),
    }
    if isinstance(network, LightGlueStick):
        config = network.config
        needed |= {
            "one-way attention": config.attention == "one_way",
            "no line layers": config.line_layers == (),
            "the line head same_line": isinstance(network.line_head, SameLineHead),
            "every keypoint kept": matcher.wireframe.keypoint_radius is None,
            "merged junctions": matcher.wireframe.merge,
        }
    missing = [name for name, present in needed.items() if not present]
    if missing:
        raise ValueError(
            f"export onnx needs a model with {', '.join(missing)}: choose one such as aliked-lsd "
            "or xfeat-lsd"
        )
    assert points is not None
    assert isinstance(network, LightGlueStick)
    assert isinstance(network.line_head, SameLineHead)
    radius = matcher.wireframe.junction_radius
    threshold = network.config.line_filter_threshold
    return {
        "detector": _detector(DetectorGraph(points, junction_radius=radius)),
        "matcher": matcher_graph(network, descriptor_dim=network.config.input_dim),
        "line_head": _line_head(LineHeadGraph(network.line_head, threshold=threshold)),
    }


def point_graph(detector: object) -> PointGraph | None:
    """Return the graph of a point detector, or None where there is none."""
    if isinstance(detector, Aliked):
        return AlikedGraph(detector)
    return XFeatGraph(detector) if isinstance(detector, XFeat) else None


def _detector(graph: DetectorGraph) -> TraceableGraph:
    lines = torch.rand(_BATCH, _LINES, 2, 2) * 90
    mask = torch.ones(_BATCH, _LINES, dtype=torch.bool)
    return TraceableGraph(
        graph,
        (torch.rand(_BATCH, 3, 100, 140), lines, mask, torch.tensor(_KEYPOINTS)),
        {"images": "B 3 H W", "lines": "B L 2 2", "line_mask": "B L", "max_num_keypoints": ""},
        Detections._fields,
    )


def matcher_graph(network: LightGlueStick, *, descriptor_dim: int) -> TraceableGraph:
    """Return the graph of a network whose keypoints attend to keypoints only.

    Args:
        network: The network, without line layers.
        descriptor_dim: The size of the descriptors.
    """
    dim = descriptor_dim

    def nodes(num_keypoints: int, num_junctions: int) -> Nodes:
        return Nodes(
            torch.full((_BATCH, 2), 100.0),
            torch.rand(_BATCH, num_keypoints, 2) * 100,
            torch.randn(_BATCH, num_keypoints, dim),
            torch.ones(_BATCH, num_keypoints, dtype=torch.bool),
            torch.rand(_BATCH, num_junctions, 2) * 100,
            torch.randn(_BATCH, num_junctions, dim),
            torch.ones(_BATCH, num_junctions, dtype=torch.bool),
        )

    shapes = ("B 2", "B K 2", f"B K {dim}", "B K", "B J 2", f"B J {dim}", "B J")
    inputs = {
        f"{name}{side}": shape.replace("K", f"K{side}").replace("J", f"J{side}")
        for side in (0, 1)
        for name, shape in zip(Nodes._fields, shapes, strict=True)
    }
    examples = nodes(_KEYPOINTS, _JUNCTIONS), nodes(_OTHERS["K1"], _OTHERS["J1"])
    return TraceableGraph(MatcherGraph(network), examples, inputs, NodeMatches._fields)


def _line_head(graph: LineHeadGraph) -> TraceableGraph:
    def segments() -> Segments:
        return Segments(
            torch.full((_BATCH, 2), 100.0),
            torch.rand(_BATCH, _LINES, 2, 2) * 100,
            torch.ones(_BATCH, _LINES, dtype=torch.bool),
            torch.arange(2 * _LINES).view(1, _LINES, 2).repeat(_BATCH, 1, 1),
            torch.randn(_BATCH, _LINES, 2, 9),
        )

    guides = torch.rand(_BATCH, _KEYPOINTS, 2) * 100
    shapes = ("B 2", "B L 2 2", "B L", "B L 2", "B L 2 9")
    names = ("image_size", "lines", "line_mask", "line_junctions", "side_colors")
    inputs = {
        f"{name}{side}": shape for side in (0, 1) for name, shape in zip(names, shapes, strict=True)
    }
    inputs |= {"similarity": "B J0 J1", "guides0": "B N 2", "guides1": "B N 2"}
    inputs |= {"guide_scores": "B N"}
    similarity = torch.randn(_BATCH, _JUNCTIONS, _OTHERS["J1"])
    arguments = (
        segments(),
        segments(),
        similarity,
        guides,
        guides + 3,
        torch.rand(guides.shape[:2]),
    )
    return TraceableGraph(graph, arguments, inputs, LineMatches._fields)
