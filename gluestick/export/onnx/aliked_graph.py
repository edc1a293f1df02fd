"""ALIKED for a batch of images of one size, in operations that ONNX has.

The parameters are those of :class:`gluestick.features.points.aliked_network.AlikedNetwork`, and
so are the numbers, up to rounding. Loops over strips of the image, whose number depends on its
size, are left out, and deformable convolutions are sampled as grids.
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
from gluestick.features.points.aliked import TEMPERATURE, Aliked
from gluestick.features.points.aliked_network import AlikedNetwork, corner_weights
from gluestick.features.points.deformable import DeformableConvolution

_STRIDE = 32


class BatchMaps(NamedTuple):
    """What the network knows about B images.

    Attributes:
        scores: [B, H, W].
        fine: [B, C, H', W'], the first block's output on the padded images.
        coarse: Three maps [B, D/4, h, w] at strides 2, 8 and 32.
        top: Rows of padding above the images.
        left: Columns of padding on their left.
        height: H of the images.
        width: W of the images.
    """

    scores: Tensor
    fine: Tensor
    coarse: tuple[Tensor, Tensor, Tensor]
    top: int
    left: int
    height: int
    width: int


class AlikedGraph(nn.Module):
    """Finds what :class:`gluestick.features.points.aliked.Aliked` finds, for a batch of images.

    It satisfies :class:`gluestick.export.onnx.detector.PointGraph`.

    Args:
        detector: The detector.
    """

    def __init__(self, detector: Aliked) -> None:
        super().__init__()
        self.network = detector.network
        self.radius = detector.config.nms_radius
        self.threshold = detector.config.detection_threshold

    def look(self, images: Tensor) -> BatchMaps:
        """Run the network."""
        height, width = images.shape[2], images.shape[3]
        top, bottom = _padding(height)
        left, right = _padding(width)
        padded = F.pad(images, (left, right, top, bottom), mode="replicate")
        network = self.network
        fine = _block(network.block1, padded)
        half = _block(network.block2, F.avg_pool2d(fine, 2))
        eighth = _block(network.block3, F.avg_pool2d(half, 4))
        last = _block(network.block4, F.avg_pool2d(eighth, 4))
        coarse = (
            F.selu(network.conv2(half)),
            F.selu(network.conv3(eighth)),
            F.selu(network.conv4(last)),
        )
        scores = _scores(network, fine, coarse)[:, top : top + height, left : left + width]
        return BatchMaps(scores, fine, coarse, top, left, height, width)

    def keypoints(self, maps: BatchMaps, visible: Tensor, number: Tensor) -> tuple[Tensor, Tensor]:
        """Find the strongest keypoints, refined by a soft arg-max."""
        scores, radius = maps.scores, self.radius
        peaks = find_peaks(scores, radius=radius, threshold=self.threshold, visible=visible)
        strict = are_strict(scores, peaks, radius=radius)
        values = sample_pixels(scores, peaks.image, self._refine(scores, peaks)) * strict
        values, chosen = strongest(values, peaks, number, like=scores, radius=radius)
        return values, self._refine(scores, chosen).view(*values.shape, 2)

    def _refine(self, scores: Tensor, pixels: Pixels) -> Tensor:
        """Move pixels [N] by a soft arg-max: [N, 2] px."""
        windows, offsets = windows_around(scores, pixels, radius=self.radius)
        shifts = (windows / TEMPERATURE).softmax(dim=1) @ offsets
        return torch.stack([pixels.x, pixels.y], dim=1) + shifts

    def describe(self, maps: BatchMaps, positions: Tensor) -> Tensor:
        """Describe positions, moved into the image."""
        network = self.network
        last = size_vector(maps.width - 1, maps.height - 1, like=positions)
        positions = positions.clamp(min=0).minimum(last)
        corner = (positions.floor() - 1).clamp(min=0).minimum((last - 2).clamp(min=0))
        patch = network.patch.to(positions)
        pixels = (corner[:, :, None] + patch).minimum(last)  # [B, M, 9, 2]
        patches = _features_at(network, maps, pixels)  # [B, M, 9, D]
        head = network.desc_head
        patches = patches.transpose(2, 3).flatten(0, 1).unflatten(2, (3, 3))
        offsets = head.offsets(patches, furthest=_longer(maps.height, maps.width) / 4)
        offsets = offsets.view(*positions.shape[:2], -1, 2)  # [B, M, S, 2]
        sampled = _interpolated_features(network, maps, positions[:, :, None] + offsets, last)
        return head(sampled.flatten(0, 1)).view(*positions.shape[:2], -1)


def _longer(height: int, width: int) -> int:
    """Return the larger of two sizes, without a comparison, which tracing would freeze."""
    return (height + width + abs(height - width)) // 2


def _padding(length: int) -> tuple[int, int]:
    """Return how much is added before and after a length, so that the strides divide it."""
    missing = (length + _STRIDE - 1) // _STRIDE * _STRIDE - length
    return missing // 2, missing - missing // 2


def _block(block: nn.Module, dense: Tensor) -> Tensor:
    part = block.get_submodule
    inner = F.selu(part("bn1")(_convolve(part("conv1"), dense)))
    outer = part("bn2")(_convolve(part("conv2"), inner))
    return F.selu(outer if block.downsample is None else outer + part("downsample")(dense))


def _convolve(convolution: nn.Module, dense: Tensor) -> Tensor:
    if not isinstance(convolution, DeformableConvolution):
        return convolution(dense)
    height, width = dense.shape[2], dense.shape[3]
    kernel = convolution.regular_conv.kernel_size[0]
    furthest = _longer(height, width) / 4
    offsets = convolution.offset_conv(dense).clamp(-furthest, furthest)
    dy, dx = offsets.unflatten(1, (-1, 2)).unbind(2)  # [B, K, h, w] each, taps row by row
    tap = torch.arange(kernel, device=dense.device) - kernel // 2
    row = torch.arange(height, device=dense.device)[:, None]
    column = torch.arange(width, device=dense.device)
    y = row + tap.repeat_interleave(kernel)[:, None, None] + dy
    x = column + tap.repeat(kernel)[:, None, None] + dx
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
    taps = F.grid_sample(dense, grid.flatten(2, 3), mode="bilinear", align_corners=False)
    weight = convolution.regular_conv.weight.flatten(1)
    return (weight @ taps.flatten(1, 2)).view(dense.shape[0], len(weight), height, width)


def _scores(network: AlikedNetwork, fine: Tensor, maps: tuple[Tensor, ...]) -> Tensor:
    """Return the score head's output [B, H', W'] on the padded images."""
    weights = network.score_head.get_parameter("0.weight").chunk(4, dim=1)
    mixed = F.conv2d(F.selu(network.conv1(fine)), weights[0])
    for weight, coarse in zip(weights[1:], maps, strict=True):
        mixed = mixed + F.interpolate(
            F.conv2d(coarse, weight), size=fine.shape[2:], mode="bilinear", align_corners=True
        )
    for layer in list(network.score_head)[1:]:
        mixed = F.selu(mixed) if isinstance(layer, nn.SELU) else layer(mixed)
    return mixed[:, 0].sigmoid()


def _interpolated_features(
    network: AlikedNetwork, maps: BatchMaps, positions: Tensor, last: Tensor
) -> Tensor:
    """Interpolate the normalised features, zero outside the image, [B, ..., 2] -> [B, ..., D]."""
    corner = positions.floor()
    weights = corner_weights(positions - corner)
    result = positions.new_zeros(1)
    for step, weight in zip(network.corners.to(positions), weights, strict=True):
        pixel = corner + step
        moved = pixel.clamp(min=0).minimum(last)
        inside = (pixel == moved).all(dim=-1)
        result = result + _features_at(network, maps, moved) * (weight * inside)[..., None]
    return result


def _features_at(network: AlikedNetwork, maps: BatchMaps, pixels: Tensor) -> Tensor:
    """Return the normalised features of whole pixels inside the image, [B, ..., 2] -> [B, ..., D].

    Pixels are floating-point numbers.
    """
    channels, rows, columns = maps.fine.shape[1:]
    x, y = pixels.flatten(1, -2).unbind(-1)  # [B, N]
    x, y = x + maps.left, y + maps.top
    index = (y.long() * columns + x.long())[:, None].expand(-1, channels, -1)
    fine = maps.fine.flatten(2).gather(2, index).mT  # [B, N, C]
    fine = F.selu(F.linear(fine, network.conv1.weight.flatten(1)))
    grid = torch.stack([x * 2 / (columns - 1) - 1, y * 2 / (rows - 1) - 1], dim=-1)[:, None]
    coarse = [
        F.grid_sample(dense, grid, mode="bilinear", align_corners=True)[:, :, 0].mT
        for dense in maps.coarse
    ]
    features = F.normalize(torch.cat([fine, *coarse], dim=-1), dim=-1)
    return features.view(*pixels.shape[:-1], -1)
