"""From keypoints and line segments to a wireframe."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gluestick.types import Features, Wireframe
from gluestick.wireframe.collate import stack_wireframes
from gluestick.wireframe.junctions import (
    cluster_means,
    line_edges,
    merge_endpoints,
    nearest_distances,
)

_SCORE_EPSILON = 1e-8


@dataclass(frozen=True, kw_only=True)
class WireframeConfig:
    """How line endpoints and keypoints become the nodes of a graph.

    Attributes:
        merge: Whether endpoints that lie close to each other become one junction. Otherwise
            each of the 2L endpoints is a node of its own, in the order of the lines.
        junction_radius: The distance up to which two endpoints are merged, px.
        keypoint_radius: Keypoints nearer than this to a detected line endpoint are left out,
            px; None keeps every keypoint. The published GlueStick uses 4 px, its training code
            (glue-factory) and LightGlueStick 3 px.
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
    return stack_wireframes(
        [_build_one(features, index, config) for index in range(len(features.image_size))]
    )


def _build_one(features: Features, index: int, config: WireframeConfig) -> Wireframe:
    line_mask = features.line_mask[index]
    detected = features.lines[index][line_mask]  # [L, 2, 2]
    line_scores = features.line_scores[index][line_mask]
    if len(line_scores):
        line_scores = line_scores / (line_scores.max() + _SCORE_EPSILON)
    endpoints = detected.reshape(-1, 2)

    def to_array(tensor: Tensor) -> np.ndarray:
        return tensor.detach().cpu().numpy()

    def to_device(array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(detected.device)

    if config.merge:
        means, line_junctions = merge_endpoints(to_array(detected), radius=config.junction_radius)
        junctions = to_device(means)
    else:
        line_junctions = np.arange(len(endpoints)).reshape(-1, 2)
        junctions = endpoints
    endpoint_scores = np.repeat(to_array(line_scores), 2)
    junction_scores = to_device(cluster_means(endpoint_scores, line_junctions.reshape(-1)))

    kept = features.keypoint_mask[index]
    if config.keypoint_radius is not None:
        distances = nearest_distances(to_array(features.keypoints[index]), to_array(endpoints))
        kept = kept & to_device(distances >= config.keypoint_radius)
    descriptors = features.descriptors[index][kept]
    if len(junctions):
        descriptors = torch.cat([features.describe[index](junctions).to(descriptors), descriptors])

    junction_of = to_device(line_junctions)
    nodes = torch.cat([junctions, features.keypoints[index][kept]])  # [P, 2]
    return Wireframe(
        image_size=features.image_size[index : index + 1],
        keypoints=nodes[None],
        keypoint_scores=torch.cat([junction_scores, features.keypoint_scores[index][kept]])[None],
        descriptors=descriptors[None],
        keypoint_mask=torch.ones(1, len(nodes), dtype=torch.bool, device=nodes.device),
        num_junctions=to_device(np.array([len(junctions)])),
        lines=junctions[junction_of][None],
        detected_lines=detected[None],
        line_scores=line_scores[None],
        line_mask=torch.ones_like(line_scores, dtype=torch.bool)[None],
        line_junctions=junction_of[None],
        edge_index=to_device(line_edges(line_junctions)),
        views=features.views[index : index + 1],
    )
