"""ALIKED keypoints and descriptors.

Zhao et al., "ALIKED: A Lighter Keypoint and Descriptor Extraction Network via Deformable
Transformation", IEEE TIM 2023. The layers and their weights are kornia's; the evaluation is
arranged differently, and gives the same numbers: the network's 128-channel map at full
resolution is never built. Its score head starts with a 1x1 convolution, which commutes with
upsampling and is applied per scale, and its descriptor head reads the map at few positions,
where it is interpolated from the scales.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F  # noqa: N812
from kornia.feature import ALIKED
from torch import Tensor, nn

from gluestick.features.checkpoints import load_weights, read_weights
from gluestick.features.deformable import DeformableConvolution
from gluestick.features.sampling import sample_map, strict_maxima, unit_rows
from gluestick.features.selection import (
    allowed_pixels,
    check_detector_options,
    lies_in,
    strongest,
)
from gluestick.types import Points
from gluestick.weights import shipped_path

Variant = Literal["n16", "n16rot", "n32", "t16"]

_STRIDE = 32
_TEMPERATURE = 0.1
_POSITIONS_AT_ONCE = 1024
_ROWS_AT_ONCE = 32


@dataclass(frozen=True, kw_only=True)
class AlikedConfig:
    """Options of :class:`Aliked`.

    Attributes:
        variant: The network: n16, n16rot (trained with rotations), n32 (32 descriptor samples)
            or t16 (tiny, 64-dimensional descriptors).
        max_num_keypoints: How many keypoints at most, or None for no limit.
        detection_threshold: The score in (0, 1) that a keypoint exceeds.
        nms_radius: A keypoint has the largest score within this many px, at least 1.
    """

    variant: Variant = "n16"
    max_num_keypoints: int | None = 1024
    detection_threshold: float = 0.2
    nms_radius: int = 2

    def __post_init__(self) -> None:
        check_detector_options(
            "AlikedConfig", max_num_keypoints=self.max_num_keypoints, nms_radius=self.nms_radius
        )
        if self.nms_radius < 1:
            raise ValueError("AlikedConfig.nms_radius needs to be at least 1 px, found 0")
        if self.variant not in get_args(Variant):
            raise ValueError(
                f"AlikedConfig.variant needs to be one of {', '.join(get_args(Variant))}, "
                f"found {self.variant!r}"
            )


@dataclass(frozen=True, kw_only=True)
class _Maps:
    """What the network knows about an image.

    Attributes:
        size: (W, H) px of the image.
        origin: (x, y) of the image within the padded image, px.
        fine: [C, H', W'], the first block's output on the padded image.
        coarse: Three maps [1, D/4, h, w] at strides 2, 8 and 32.
    """

    size: tuple[int, int]
    origin: tuple[int, int]
    fine: Tensor
    coarse: tuple[Tensor, Tensor, Tensor]


class Aliked(nn.Module):
    """Detects and describes keypoints with ALIKED.

    The constructor builds the network with random weights; :meth:`from_pretrained` loads them.
    The state dict has the names of the published checkpoints.

    Args:
        config: The options.
    """

    def __init__(self, config: AlikedConfig | None = None) -> None:
        super().__init__()
        self.config = config or AlikedConfig()
        network = ALIKED(f"aliked-{self.config.variant}")
        for block in (network.block3, network.block4):
            block.conv1 = _faster(block.conv1)
            block.conv2 = _faster(block.conv2)
        self.block1: nn.Module = network.block1
        self.block2: nn.Module = network.block2
        self.block3: nn.Module = network.block3
        self.block4: nn.Module = network.block4
        self.conv1: nn.Conv2d = network.conv1
        self.conv2: nn.Conv2d = network.conv2
        self.conv3: nn.Conv2d = network.conv3
        self.conv4: nn.Conv2d = network.conv4
        self.score_head: nn.Sequential = network.score_head
        self.desc_head: Any = network.desc_head
        self.descriptor_dim: int = network.desc_head.sf_conv.out_channels
        self.eval()

    @classmethod
    def from_pretrained(
        cls, config: AlikedConfig | None = None, *, weights: str | None = None
    ) -> "Aliked":
        """Build the detector and load its weights.

        Args:
            config: The options.
            weights: A checkpoint file of the variant, or None for the file that comes with the
                package (variants n16 and n16rot).

        Raises:
            ValueError: If the file is missing, damaged or belongs to another network.
        """
        detector = cls(config)
        source = weights or shipped_path(f"aliked-{detector.config.variant}.safetensors")
        load_weights(detector, read_weights(source), source=source)
        return detector

    @torch.no_grad()
    def detect(self, image: Tensor, *, mask: Tensor | None = None) -> Points:
        """Find and describe keypoints; see :class:`gluestick.features.protocols.PointDetector`.

        Args:
            image: [3, H, W] float32 in [0, 1], RGB.
            mask: [H, W] bool; keypoints lie only where it is True.

        Returns:
            Keypoints with sub-pixel coordinates, scores in (0, 1) and descriptors [N, D].

        Raises:
            ShapeError: If the image or the mask has another shape.
        """
        allowed = allowed_pixels(image, mask)
        maps, scores = self._maps_and_scores(image)
        keypoints, keypoint_scores = self._keypoints(scores, allowed)
        order = strongest(keypoint_scores, max_num_keypoints=self.config.max_num_keypoints)
        keypoints = keypoints[order]
        return Points(
            keypoints=keypoints,
            scores=keypoint_scores[order],
            descriptors=self._describe(maps, keypoints),
            describe=partial(self._describe, maps),
        )

    def _maps_and_scores(self, image: Tensor) -> tuple[_Maps, Tensor]:
        """Return the feature maps and the scores [H, W] of an image [3, H, W]."""
        height, width = image.shape[1:]
        left, right = _split(-width % _STRIDE)
        top, bottom = _split(-height % _STRIDE)
        padded = F.pad(image[None], (left, right, top, bottom), mode="replicate")
        fine = self.block1(padded)
        half = self.block2(F.avg_pool2d(fine, 2))
        eighth = self.block3(F.avg_pool2d(half, 4))
        last = self.block4(F.avg_pool2d(eighth, 4))
        maps = _Maps(
            size=(width, height),
            origin=(left, top),
            fine=fine[0],
            coarse=(
                F.selu(self.conv2(half)),
                F.selu(self.conv3(eighth)),
                F.selu(self.conv4(last)),
            ),
        )
        scores = self._scores(maps)
        return maps, scores[top : top + height, left : left + width]

    def _scores(self, maps: _Maps) -> Tensor:
        """Return the score head's output [H', W'] on the padded image."""
        channels, height, width = maps.fine.shape
        weights = self.score_head[0].weight.flatten(1).chunk(4, dim=1)  # 4 x [8, D/4]
        mixed = maps.fine.new_empty(len(weights[0]), height, width)
        for row in range(0, height, _ROWS_AT_ONCE):
            strip = maps.fine[:, row : row + _ROWS_AT_ONCE].reshape(channels, -1)
            fine = F.selu(self.conv1.weight.flatten(1) @ strip)
            mixed[:, row : row + _ROWS_AT_ONCE] = (weights[0] @ fine).unflatten(1, (-1, width))
        for weight, coarse in zip(weights[1:], maps.coarse, strict=True):
            mixed += F.interpolate(
                F.conv2d(coarse, weight[:, :, None, None]),
                size=(height, width),
                mode="bilinear",
                align_corners=True,
            )[0]
        scores = mixed[None]
        for layer in list(self.score_head)[1:]:
            scores = layer(scores)
        return scores[0, 0].sigmoid()

    def _keypoints(self, scores: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
        """Return local maxima [N, 2], refined by a soft arg-max, and their scores [N]."""
        radius = self.config.nms_radius
        peaks = strict_maxima(scores, radius=radius) & allowed
        peaks &= scores > self.config.detection_threshold
        y, x = peaks.nonzero(as_tuple=True)
        offset = torch.arange(-radius, radius + 1, device=scores.device)
        dy, dx = (grid.flatten() for grid in torch.meshgrid(offset, offset, indexing="ij"))
        windows = scores[y[:, None] + dy, x[:, None] + dx]  # [N, (2 * radius + 1)^2]
        weights = (windows / _TEMPERATURE).softmax(dim=1)
        shift = weights @ torch.stack([dx, dy], dim=1).to(scores.dtype)
        keypoints = torch.stack([x, y], dim=1) + shift
        keypoints = keypoints[lies_in(keypoints, allowed)]
        return keypoints, sample_map(scores[None], keypoints)[:, 0]

    @torch.no_grad()
    def _describe(self, maps: _Maps, positions: Tensor) -> Tensor:
        """Describe any positions [M, 2] px; those outside the image are moved to its border."""
        device = maps.fine.device
        last = torch.tensor(maps.size, device=device) - 1
        moved = positions.to(device, maps.fine.dtype).clamp_min(0).minimum(last)
        parts = [self._describe_some(maps, part) for part in moved.split(_POSITIONS_AT_ONCE)]
        return torch.cat(parts).to(positions.device)

    def _describe_some(self, maps: _Maps, positions: Tensor) -> Tensor:
        """Return the deformable descriptor head's output [M, D]."""
        head = self.desc_head
        last = torch.tensor(maps.size, device=positions.device) - 1
        kernel = torch.arange(3, device=positions.device)
        corner = (positions.long() - 1).clamp_min(0).minimum((last - 2).clamp_min(0))
        grid = torch.cartesian_prod(kernel, kernel).flip(1)  # [9, 2] (x, y), row by row
        pixels = (corner[:, None] + grid).minimum(last)  # [M, 9, 2]
        patches = self._features_at(maps, pixels).transpose(1, 2).unflatten(2, (3, 3))
        furthest = max(maps.size) / 4
        offsets = head.offset_conv(patches)[:, :, 0, 0].clamp(-furthest, furthest)
        offsets = offsets.unflatten(1, (2, -1)).transpose(1, 2)  # [M, P, 2]
        sampled = self._interpolated_features(maps, positions[:, None] + offsets)  # [M, P, D]
        features = F.selu(F.linear(sampled, head.sf_conv.weight[:, :, 0, 0]))
        return unit_rows(torch.einsum("mpc,pcd->md", features, head.agg_weights))

    def _interpolated_features(self, maps: _Maps, positions: Tensor) -> Tensor:
        """Interpolate the normalised features bilinearly, [..., 2] px -> [..., D]."""
        corner = positions.floor()
        fraction = positions - corner
        result: Tensor | None = None
        for pixel, weight in _corners(corner.long(), fraction):
            inside = ((pixel >= 0) & (pixel < pixel.new_tensor(maps.size))).all(dim=-1)
            pixel = pixel.clamp_min(0).minimum(pixel.new_tensor(maps.size) - 1)
            term = self._features_at(maps, pixel) * (weight * inside)[..., None]
            result = term if result is None else result + term
        assert result is not None
        return result

    def _features_at(self, maps: _Maps, pixels: Tensor) -> Tensor:
        """Return the normalised features of whole pixels inside the image, [..., 2] -> [..., D]."""
        _, height, width = maps.fine.shape
        x, y = (pixels.reshape(-1, 2) + pixels.new_tensor(maps.origin)).unbind(1)
        fine = F.selu(maps.fine.flatten(1)[:, y * width + x].T @ self.conv1.weight.flatten(1).T)
        size = torch.tensor([width - 1, height - 1], device=pixels.device)
        grid = (torch.stack([x, y], dim=1) * 2 / size - 1).to(fine.dtype)[None, None]
        coarse = [
            F.grid_sample(coarse, grid, mode="bilinear", align_corners=True)[0, :, 0].T
            for coarse in maps.coarse
        ]
        features = F.normalize(torch.cat([fine, *coarse], dim=1), dim=1)
        return features.unflatten(0, pixels.shape[:-1])


def _faster(layer: Any) -> DeformableConvolution:
    return DeformableConvolution(offset_conv=layer.offset_conv, regular_conv=layer.regular_conv)


def _split(amount: int) -> tuple[int, int]:
    return amount // 2, amount - amount // 2


def _corners(corner: Tensor, fraction: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the four pixels around positions and their bilinear weights."""
    for dx in (0, 1):
        for dy in (0, 1):
            weight_x, weight_y = (
                fraction[..., axis] if step else 1 - fraction[..., axis]
                for axis, step in ((0, dx), (1, dy))
            )
            yield corner + corner.new_tensor([dx, dy]), weight_x * weight_y
