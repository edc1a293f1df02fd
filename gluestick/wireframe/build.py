"""From keypoints and line segments to a wireframe."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gluestick.transfers import to_device, to_host
from gluestick.types import Features, Wireframe
from gluestick.wireframe.collate import stack_wireframes
from gluestick.wireframe.junctions import (
    cluster_means,
    line_edges,
    merge_endpoints,
    nearest_distances,
)

_SCORE_EPSILON = 1e-8
_FIELDS_READ = ("keypoints", "keypoint_mask", "lines", "line_scores", "line_mask")


@dataclass(frozen=True, kw_only=True)
class WireframeConfig:
    """How line endpoints and keypoints become the nodes of a graph.

    Attributes:
        merge: Whether endpoints that lie close to each other become one junction. Otherwise
            each of the 2L endpoints is a node of its own, in the order of the lines.
        junction_radius: The distance up to which two endpoints are merged, px of the resized
            image in which they were found (``Features.scales``).
        keypoint_radius: Keypoints nearer than this to a detected line endpoint are left out,
            px of the resized image; None keeps every keypoint. The published GlueStick uses
            4 px, its training code (glue-factory) and LightGlueStick 3 px.
    """

    merge: bool = True
    junction_radius: float = 3.0
    keypoint_radius: float | None = None

    def __post_init__(self) -> None:
        for name in ("junction_radius", "keypoint_radius"):
            radius = getattr(self, name)
            if radius is not None and not 0 <= radius < float("inf"):
                raise ValueError(f"{name} needs to be a distance of at least 0 px, found {radius}")


def build_wireframe(features: Features, config: WireframeConfig | None = None) -> Wireframe:
    """Connect the keypoints and line segments of each image to a graph.

    The nodes are the junctions, described by ``features.describe``, and then the keypoints in
    their order. The score of a line is divided by the best of its image (plus 1e-8); the score
    of a junction is the mean over the endpoints that meet there of their lines' scores. See
    GlueStick (arXiv 2304.02008). Images do not influence each other: a batch gives
    what its images give one by one.

    Args:
        features: The features of B images, L lines each at most.
        config: The options; the defaults if left out.

    Returns:
        The wireframes of the B images. A line whose two endpoints were merged has the same
        junction twice and no edge.
    """
    config = config or WireframeConfig()
    read = to_host(*(getattr(features, name) for name in _FIELDS_READ))
    connected = [
        _connect(dict(zip(_FIELDS_READ, values, strict=True)), config, scale=scale)
        for *values, scale in zip(*read, features.scales, strict=True)
    ]
    arrays = [array for fields in connected for array in fields]
    written = iter(to_device(*arrays, device=features.keypoints.device))
    graphs = [_Graph(*(next(written) for _ in fields)) for fields in connected]
    return stack_wireframes(
        [_build_one(features, index, graph) for index, graph in enumerate(graphs)], padded=False
    )


class _Graph(NamedTuple):
    """What follows from the lines of an image and from where its keypoints are, on the device.

    Attributes:
        junctions: [J, 2] px.
        junction_scores: [J].
        detected: [L, 2, 2] px, the lines without padding.
        line_scores: [L], divided by the best.
        line_junctions: [L, 2] int64.
        edges: [2, E] int64.
        kept: [K] int64, the keypoints that become nodes.
        kept_lines: [L] int64, which lines of the features are no padding.
        num_junctions: [1] int64.
    """

    junctions: Tensor
    junction_scores: Tensor
    detected: Tensor
    line_scores: Tensor
    line_junctions: Tensor
    edges: Tensor
    kept: Tensor
    kept_lines: Tensor
    num_junctions: Tensor


def _connect(
    image: Mapping[str, np.ndarray], config: WireframeConfig, *, scale: float
) -> tuple[np.ndarray, ...]:
    """Connect the lines of one image on the host, and return the fields of :class:`_Graph`."""
    detected = image["lines"][image["line_mask"]]  # [L, 2, 2]
    line_scores = image["line_scores"][image["line_mask"]]
    if len(line_scores):
        line_scores = line_scores / (line_scores.max() + line_scores.dtype.type(_SCORE_EPSILON))
    endpoints = detected.reshape(-1, 2)
    if config.merge:
        junctions, line_junctions = merge_endpoints(detected, radius=config.junction_radius / scale)
    else:
        junctions, line_junctions = endpoints, np.arange(len(endpoints)).reshape(-1, 2)
    kept = image["keypoint_mask"]
    if config.keypoint_radius is not None:
        distances = nearest_distances(image["keypoints"], endpoints)
        kept = kept & (distances >= config.keypoint_radius / scale)
    return (
        junctions,
        cluster_means(np.repeat(line_scores, 2), line_junctions.reshape(-1)),
        detected,
        line_scores,
        line_junctions,
        line_edges(line_junctions),
        np.flatnonzero(kept),
        np.flatnonzero(image["line_mask"]),
        np.array([len(junctions)]),
    )


def _build_one(features: Features, index: int, graph: _Graph) -> Wireframe:
    descriptors = features.descriptors[index][graph.kept]
    if len(graph.junctions):
        described = features.describe[index](graph.junctions).to(descriptors)
        descriptors = torch.cat([described, descriptors])
    nodes = torch.cat([graph.junctions, features.keypoints[index][graph.kept]])  # [P, 2]
    scores = torch.cat([graph.junction_scores, features.keypoint_scores[index][graph.kept]])
    return Wireframe(
        image_size=features.image_size[index : index + 1],
        keypoints=nodes[None],
        keypoint_scores=scores[None],
        descriptors=descriptors[None],
        keypoint_mask=torch.ones_like(scores, dtype=torch.bool)[None],
        num_junctions=graph.num_junctions,
        lines=graph.junctions[graph.line_junctions][None],
        detected_lines=graph.detected[None],
        line_scores=graph.line_scores[None],
        line_mask=torch.ones_like(graph.line_scores, dtype=torch.bool)[None],
        line_junctions=graph.line_junctions[None],
        edge_index=graph.edges,
        side_colors=(
            None
            if features.side_colors is None
            else features.side_colors[index][graph.kept_lines][None]
        ),
        views=features.views[index : index + 1],
        scales=features.scales[index : index + 1],
    )
