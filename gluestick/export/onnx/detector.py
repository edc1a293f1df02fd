"""The exported detector: keypoints of images, and junctions of segments that the caller found."""

from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from gluestick.export.onnx.junctions import merge_ends
from gluestick.features.lines.side_colors import colors_beside
from gluestick.features.points.selection import BLANK_RANGE


class Detections(NamedTuple):
    """What the detector says about B images.

    Attributes:
        keypoints: [B, K, 2] px, strongest first.
        scores: [B, K] in [0, 1]; 0 for padding.
        descriptors: [B, K, D], rows of unit norm.
        keypoint_mask: [B, K] bool, False for padding.
        junctions: [B, 2 L, 2] px, where ends of segments meet.
        junction_descriptors: [B, 2 L, D].
        junction_mask: [B, 2 L] bool.
        line_junctions: [B, L, 2] int64, the junctions at both ends.
        side_colors: [B, L, 2, 9], what lies beside the segments.
    """

    keypoints: Tensor
    scores: Tensor
    descriptors: Tensor
    keypoint_mask: Tensor
    junctions: Tensor
    junction_descriptors: Tensor
    junction_mask: Tensor
    line_junctions: Tensor
    side_colors: Tensor


class PointGraph(Protocol):
    """A point detector for a batch of images, in operations that ONNX has."""

    def look(self, images: Tensor) -> Any:
        """Look at images [B, 3, H, W] in [0, 1], RGB: what the other methods take."""

    def keypoints(self, maps: Any, visible: Tensor, number: Tensor) -> tuple[Tensor, Tensor]:
        """Find the strongest keypoints.

        Args:
            maps: What was seen.
            visible: [B] bool, False for images that show nothing and have no keypoints.
            number: [] int64, K.

        Returns:
            The scores [B, K], 0 for padding, and the positions [B, K, 2] px.
        """

    def describe(self, maps: Any, positions: Tensor) -> Tensor:
        """Describe positions [B, M, 2] px, [B, M, D], rows of unit norm."""


class DetectorGraph(nn.Module):
    """Finds what a point detector finds, for a batch of images, and joins segments.

    Args:
        points: The point detector.
        junction_radius: The distance up to which two ends of segments are merged, px.
    """

    def __init__(self, points: PointGraph, *, junction_radius: float) -> None:
        super().__init__()
        self.points = points
        self.junction_radius = junction_radius

    def forward(
        self, images: Tensor, lines: Tensor, line_mask: Tensor, max_num_keypoints: Tensor
    ) -> Detections:
        """Detect keypoints and describe them and the ends of segments.

        Args:
            images: [B, 3, H, W] float32 in [0, 1], RGB.
            lines: [B, L, 2, 2] px, raw segments.
            line_mask: [B, L] bool, False for padding.
            max_num_keypoints: [] int64, K.
        """
        maps = self.points.look(images)
        low, high = images.flatten(2).aminmax(dim=2)
        visible = (high - low > BLANK_RANGE).any(1)
        values, keypoints = self.points.keypoints(maps, visible, max_num_keypoints)
        keypoint_mask = values > 0
        junctions, junction_mask, line_junctions = merge_ends(
            lines, line_mask, radius=self.junction_radius
        )
        described = self.points.describe(maps, torch.cat([keypoints, junctions], dim=1))
        return Detections(
            keypoints=keypoints,
            scores=values,
            descriptors=described[:, :max_num_keypoints],
            keypoint_mask=keypoint_mask,
            junctions=junctions,
            junction_descriptors=described[:, max_num_keypoints:],
            junction_mask=junction_mask,
            line_junctions=line_junctions,
            side_colors=_side_colors(images, lines),
        )


def _side_colors(images: Tensor, lines: Tensor) -> Tensor:
    gray = images.mean(1).flatten(1)  # [B, H * W]
    return colors_beside(images, lines, mean=gray.mean(1), deviation=gray.std(1, correction=0))
