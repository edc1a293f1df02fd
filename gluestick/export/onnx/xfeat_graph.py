"""XFeat for a batch of images of one size, in operations that ONNX has.

The parameters are those of :class:`gluestick.features.points.xfeat_network.XFeatNetwork`, and so
are the numbers, up to rounding.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from gluestick.export.onnx.peaks import (
    Pixels,
    are_strict,
    find_peaks,
    sample_pixels,
    size_vector,
    strongest,
    windows_around,
)
from gluestick.features.points.sampling import unit_rows
from gluestick.features.points.xfeat import STRIDE, XFeat
from gluestick.features.points.xfeat_network import CELL


class BatchMaps(NamedTuple):
    """What the network knows about B images.

    Attributes:
        heatmap: [B, H', W'], the probabilities of keypoints on the resized images.
        reliability: [B, H'/8, W'/8] in (0, 1).
        dense: [B, 64, H'/8, W'/8], of unit norm.
        size: [2], (W', H').
        scale: [2], (x, y), the size of the resized images over that of the images.
    """

    heatmap: Tensor
    reliability: Tensor
    dense: Tensor
    size: Tensor
    scale: Tensor


class XFeatGraph(nn.Module):
    """Finds what :class:`gluestick.features.points.xfeat.XFeat` finds, for a batch of images.

    It satisfies :class:`gluestick.export.onnx.detector.PointGraph`.

    Args:
        detector: The detector.
    """

    def __init__(self, detector: XFeat) -> None:
        super().__init__()
        self.network = detector.network
        self.config = detector.config

    def look(self, images: Tensor) -> BatchMaps:
        """Run the network on the images, both sides rounded down to multiples of 32 px."""
        height, width = images.shape[2], images.shape[3]
        rows, columns = height // STRIDE * STRIDE, width // STRIDE * STRIDE
        resized = F.interpolate(images, (rows, columns), mode="bilinear", align_corners=False)
        maps = self.network(resized)
        cells = maps.keypoint_logits.softmax(dim=1)[:, :-1]
        size = size_vector(columns, rows, like=images)
        return BatchMaps(
            heatmap=F.pixel_shuffle(cells, CELL)[:, 0],
            reliability=maps.reliability[:, 0],
            dense=F.normalize(maps.descriptors, dim=1),
            size=size,
            scale=size / size_vector(width, height, like=images),
        )

    def keypoints(self, maps: BatchMaps, visible: Tensor, number: Tensor) -> tuple[Tensor, Tensor]:
        """Find the strongest keypoints, placed at the mean of the probabilities around them."""
        heatmap, radius = maps.heatmap, self.config.nms_radius
        threshold = self.config.detection_threshold
        peaks = find_peaks(heatmap, radius=radius, threshold=threshold, visible=visible)
        values = heatmap[peaks.image, peaks.y, peaks.x] * _reliability(maps, peaks)
        values = values * are_strict(heatmap, peaks, radius=radius)
        values, chosen = strongest(values, peaks, number, like=heatmap, radius=radius)
        placed = torch.stack([chosen.x, chosen.y], dim=1).to(heatmap.dtype)
        if self.config.variant == "subpixel":
            windows, offsets = windows_around(heatmap, chosen, radius=1)
            tiny = torch.finfo(windows.dtype).tiny
            placed = placed + windows @ offsets / windows.sum(1, keepdim=True).clamp(min=tiny)
        return values, ((placed + 0.5) / maps.scale - 0.5).view(*values.shape, 2)

    def describe(self, maps: BatchMaps, positions: Tensor) -> Tensor:
        """Describe positions, moved into the image."""
        last = maps.size - 1
        resized = ((positions + 0.5) * maps.scale - 0.5).clamp(min=0).minimum(last)
        grid = (2 * resized / last - 1)[:, None]  # as XFeat samples its maps
        sampled = F.grid_sample(maps.dense, grid, mode="bicubic", align_corners=False)
        return unit_rows(sampled[:, :, 0].mT)


def _reliability(maps: BatchMaps, pixels: Pixels) -> Tensor:
    """Interpolate the reliability at pixels [N] as XFeat samples its maps, zero outside: [N]."""
    places = torch.stack([pixels.x, pixels.y], dim=1)
    inside = places / (maps.size - 1) * (maps.size / CELL) - 0.5
    return sample_pixels(F.pad(maps.reliability, (1, 1, 1, 1)), pixels.image, inside + 1)
