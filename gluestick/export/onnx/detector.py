"""The exported detector: keypoints of images, and junctions of segments that the caller found."""

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from gluestick.export.onnx.aliked_graph import describe, maps_and_scores
from gluestick.export.onnx.junctions import merge_ends
from gluestick.features.lines.side_colors import colors_beside
from gluestick.features.points.aliked import TEMPERATURE, Aliked
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


class DetectorGraph(nn.Module):
    """Finds what :class:`gluestick.features.points.aliked.Aliked` finds, for a batch of images.

    Args:
        detector: The detector.
        junction_radius: The distance up to which two ends of segments are merged, px.
    """

    def __init__(self, detector: Aliked, *, junction_radius: float) -> None:
        super().__init__()
        self.network = detector.network
        self.radius = detector.config.nms_radius
        self.threshold = detector.config.detection_threshold
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
        maps, scores = maps_and_scores(self.network, images)
        low, high = images.flatten(2).aminmax(dim=2)
        shows_something = (high - low > BLANK_RANGE).any(1)  # [B]
        peaks = self._peaks(scores) & shows_something[:, None, None]
        values, keypoints = self._strongest(scores, peaks, max_num_keypoints)
        keypoint_mask = values > 0
        junctions, junction_mask, line_junctions = merge_ends(
            lines, line_mask, radius=self.junction_radius
        )
        described = describe(self.network, maps, torch.cat([keypoints, junctions], dim=1))
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

    def _peaks(self, scores: Tensor) -> Tensor:
        """Return which pixels [B, H, W] have the largest score of the window around them."""
        radius = self.radius
        height, width = scores.shape[1:]
        largest = F.max_pool2d(scores[:, None], 2 * radius + 1, stride=1, padding=radius)[:, 0]
        row = torch.arange(height, device=scores.device)[:, None]
        column = torch.arange(width, device=scores.device)
        inner = (row >= radius) & (row < height - radius)
        inner = inner & (column >= radius) & (column < width - radius)
        return (scores == largest) & (scores > self.threshold) & inner

    def _strongest(self, scores: Tensor, peaks: Tensor, number: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scores [B, K] and positions [B, K, 2] px of the best keypoints."""
        height, width = scores.shape[1:]
        image, y, x = peaks.nonzero(as_tuple=True)
        positions, strict = self._refine(scores, image, y, x)
        values = sample_pixels(scores, image, positions) * strict
        ranked = torch.zeros_like(scores).index_put((image, y, x), values).flatten(1)
        values, index = ranked.topk(number, dim=1)  # type: ignore[arg-type]
        row = index // width
        column = (index - row * width).clamp(min=self.radius).clamp(max=width - 1 - self.radius)
        row = row.clamp(min=self.radius).clamp(max=height - 1 - self.radius)
        image = torch.arange(scores.shape[0], device=scores.device)[:, None].expand_as(index)
        positions, _ = self._refine(scores, image.flatten(), row.flatten(), column.flatten())
        return values, positions.view(*index.shape, 2)

    def _refine(self, scores: Tensor, image: Tensor, y: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """Move peaks [N] by a soft arg-max: [N, 2] px, and which are larger than all around."""
        step = torch.arange(-self.radius, self.radius + 1, device=scores.device)
        dx, dy = step.repeat(len(step)), step.repeat_interleave(len(step))
        windows = scores[image[:, None], y[:, None] + dy, x[:, None] + dx]  # [N, K]
        weights = (windows / TEMPERATURE).softmax(dim=1)
        shifts = weights @ torch.stack([dx, dy], dim=1).to(scores)
        strict = (windows == scores[image, y, x][:, None]).sum(1) == 1
        return torch.stack([x, y], dim=1) + shifts, strict


def sample_pixels(dense: Tensor, image: Tensor, positions: Tensor) -> Tensor:
    """Interpolate maps [B, H, W] of the images [N] at positions [N, 2] px inside: [N]."""
    height, width = dense.shape[1:]
    x, y = positions.unbind(1)
    left = x.floor().clamp(min=0).clamp(max=width - 2)
    above = y.floor().clamp(min=0).clamp(max=height - 2)
    right, below = x - left, y - above
    column, row = left.long(), above.long()
    upper = dense[image, row, column] * (1 - right) + dense[image, row, column + 1] * right
    lower = dense[image, row + 1, column] * (1 - right) + dense[image, row + 1, column + 1] * right
    return upper * (1 - below) + lower * below


def _side_colors(images: Tensor, lines: Tensor) -> Tensor:
    gray = images.mean(1).flatten(1)  # [B, H * W]
    return colors_beside(images, lines, mean=gray.mean(1), deviation=gray.std(1, correction=0))
