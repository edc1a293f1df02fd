"""What the graphs take, made from wireframes."""

import torch
import torch.nn.functional as F  # noqa: N812

from gluestick.export.onnx.line_head import Segments
from gluestick.export.onnx.matcher import Nodes
from gluestick.types import Wireframe


def as_nodes(wireframe: Wireframe, *, padding: int = 0) -> Nodes:
    """Return the nodes of a wireframe without padding, with some after the junctions."""
    junctions = int(wireframe.num_junctions[0])
    places, descriptors = wireframe.keypoints, wireframe.descriptors
    return Nodes(
        image_size=wireframe.image_size.float(),
        keypoints=places[:, junctions:],
        descriptors=descriptors[:, junctions:],
        keypoint_mask=torch.ones_like(places[:, junctions:, 0], dtype=torch.bool),
        junctions=F.pad(places[:, :junctions], (0, 0, 0, padding)),
        junction_descriptors=F.pad(descriptors[:, :junctions], (0, 0, 0, padding)),
        junction_mask=F.pad(torch.ones(1, junctions, dtype=torch.bool), (0, padding)),
    )


def as_segments(wireframe: Wireframe) -> Segments:
    """Return the lines of a wireframe."""
    assert wireframe.side_colors is not None
    return Segments(
        image_size=wireframe.image_size.float(),
        detected_lines=wireframe.detected_lines,
        line_mask=wireframe.line_mask,
        line_junctions=wireframe.line_junctions,
        side_colors=wireframe.side_colors,
    )
