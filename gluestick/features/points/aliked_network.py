"""The ALIKED network, arranged to be fast on a CPU.

Zhao et al., "ALIKED: A Lighter Keypoint and Descriptor Extraction Network via Deformable
Transformation", IEEE TIM 2023. Parameter names are those of the published checkpoints, and
the numbers are those of the published network. But its 128-channel map at full resolution is
never built: the score head starts with a 1x1 convolution, which commutes with upsampling and
is applied per scale; and the descriptor head reads the map at few positions, where it is
interpolated from the scales. Maps have their channels stored last, so that a position is read in
one piece, and batch normalisation is part of the convolution before it unless it is trained.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from gluestick.features.points.deformable import DeformableConvolution
from gluestick.features.points.sampling import (
    maps_of,
    rows_of,
    sample_rows,
    unit_rows,
    weighted_rows,
)
from gluestick.transfers import small_tensor

Variant = Literal["n16", "n16rot", "n32", "t16"]

_WIDTHS: dict[Variant, tuple[int, int, int, int]] = {
    "n16": (16, 32, 64, 128),
    "n16rot": (16, 32, 64, 128),
    "n32": (16, 32, 64, 128),
    "t16": (8, 16, 32, 64),
}
_SAMPLES: dict[Variant, int] = {"n16": 16, "n16rot": 16, "n32": 32, "t16": 16}

_STRIDE = 32
_POSITIONS_AT_ONCE = 1024
_ROWS_AT_ONCE = 32
_TINY = 1e-12

_PATCH = tuple((x, y) for y in range(3) for x in range(3))
"""The pixels of a window of 3 x 3, row by row."""

_CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))
"""Where the four pixels around a position lie from the one at the top left."""


@dataclass(frozen=True, kw_only=True)
class AlikedMaps:
    """What the network knows about B images of one size.

    Attributes:
        size: (W, H) px of the images.
        fine: [B, C, H', W'], the first block's output on the padded images.
        coarse: Three maps [B, D/4, h, w] at strides 2, 8 and 32.
        last: [2] float32, the last pixel (x, y) of an image.
        origin: [2] int64, (x, y) of an image within the padded one, px.
        last_padded: [2] int64, the last pixel (x, y) of a padded image.
    """

    size: tuple[int, int]
    fine: Tensor
    coarse: tuple[Tensor, Tensor, Tensor]
    last: Tensor
    origin: Tensor
    last_padded: Tensor

    def take(self, index: int) -> "AlikedMaps":
        """Return the maps of one image; they share the memory of all."""
        one = slice(index, index + 1)
        first, second, third = (coarse[one] for coarse in self.coarse)
        return replace(self, fine=self.fine[one], coarse=(first, second, third))


class AlikedNetwork(nn.Module):
    """Computes keypoint scores of images, and descriptors of positions in them.

    Args:
        variant: Which of the published networks.
    """

    patch: Tensor
    corners: Tensor

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        first, second, third, last = _WIDTHS[variant]
        self.descriptor_dim = last
        self.block1 = _Block(3, first, residual=False, deformable=False)
        self.block2 = _Block(first, second, residual=True, deformable=False)
        self.block3 = _Block(second, third, residual=True, deformable=True)
        self.block4 = _Block(third, last, residual=True, deformable=True)
        self.conv1 = nn.Conv2d(first, last // 4, 1, bias=False)
        self.conv2 = nn.Conv2d(second, last // 4, 1, bias=False)
        self.conv3 = nn.Conv2d(third, last // 4, 1, bias=False)
        self.conv4 = nn.Conv2d(last, last // 4, 1, bias=False)
        self.score_head = nn.Sequential(
            nn.Conv2d(last, 8, 1, bias=False),
            nn.SELU(inplace=True),
            nn.Conv2d(8, 4, 3, padding=1, bias=False),
            nn.SELU(inplace=True),
            nn.Conv2d(4, 4, 3, padding=1, bias=False),
            nn.SELU(inplace=True),
            nn.Conv2d(4, 1, 3, padding=1, bias=False),
        )
        self.desc_head = _DescriptorHead(last, samples=_SAMPLES[variant])
        self.register_buffer("patch", torch.tensor(_PATCH), persistent=False)
        self.register_buffer("corners", torch.tensor(_CORNERS), persistent=False)

    def forward(self, images: Tensor) -> tuple[AlikedMaps, Tensor]:
        """Run the network.

        Args:
            images: [B, 3, H, W] in [0, 1], RGB. They are padded to multiples of 32 px on all
                sides by repeating their borders.

        Returns:
            The maps that :meth:`describe` reads, and the scores [B, H, W] in (0, 1).
        """
        height, width = images.shape[2:]
        left, right = _split(-width % _STRIDE)
        top, bottom = _split(-height % _STRIDE)
        padded = F.pad(images, (left, right, top, bottom), mode="replicate")
        padded = padded.contiguous(memory_format=torch.channels_last)
        fine = self.block1(padded)
        half = self.block2(F.avg_pool2d(fine, 2))
        eighth = self.block3(F.avg_pool2d(half, 4))
        last = self.block4(F.avg_pool2d(eighth, 4))
        layers = zip((self.conv2, self.conv3, self.conv4), (half, eighth, last), strict=True)
        second, third, fourth = (
            F.selu(_pointwise(dense, layer.weight), inplace=True) for layer, dense in layers
        )
        maps = AlikedMaps(
            size=(width, height),
            fine=fine,
            coarse=(second, third, fourth),
            last=small_tensor([width - 1, height - 1], like=fine),
            origin=small_tensor([left, top], like=self.patch),
            last_padded=small_tensor([padded.shape[3] - 1, padded.shape[2] - 1], like=self.patch),
        )
        return maps, self._scores(maps)[:, top : top + height, left : left + width]

    def describe(self, maps: AlikedMaps, positions: Tensor, images: Tensor | None = None) -> Tensor:
        """Describe positions.

        Args:
            maps: The maps of some images.
            positions: [M, 2] px of an image; those outside are moved to its border.
            images: [M] int64, in which of the images each lies; None for the first.

        Returns:
            [M, D], rows of unit norm.
        """
        moved = positions.clamp_min(0).minimum(maps.last).split(_POSITIONS_AT_ONCE)
        which = [None] * len(moved) if images is None else images.split(_POSITIONS_AT_ONCE)
        parts = [self._describe_some(maps, *part) for part in zip(moved, which, strict=True)]
        return torch.cat(parts)

    def _scores(self, maps: AlikedMaps) -> Tensor:
        """Return the score head's output [B, H', W'] on the padded images."""
        height, width = maps.fine.shape[2:]
        weights = self.score_head.get_parameter("0.weight").flatten(1).chunk(4, dim=1)
        pixels = maps.fine.permute(0, 2, 3, 1).flatten(0, 1)  # [B H', W', C]
        strips = (
            F.selu(F.linear(rows, self.conv1.weight.flatten(1)), inplace=True).flatten(0, 1)
            for rows in pixels.split(_ROWS_AT_ONCE)
        )
        # This way round, since matrices with few columns are multiplied slowly.
        mixed = torch.cat([(weights[0] @ strip.T).T for strip in strips])
        mixed = maps_of(mixed, size=(height, width))
        for weight, coarse in zip(weights[1:], maps.coarse, strict=True):
            mixed += F.interpolate(
                _pointwise(coarse, weight),
                size=(height, width),
                mode="bilinear",
                align_corners=True,
            )
        scores = mixed
        for layer in list(self.score_head)[1:]:
            scores = layer(scores)
        return scores[:, 0].sigmoid()

    def _describe_some(self, maps: AlikedMaps, positions: Tensor, images: Tensor | None) -> Tensor:
        """Describe positions [M, 2] px inside their images."""
        last = maps.last.long()
        corner = (positions.long() - 1).clamp_min(0).minimum((last - 2).clamp_min(0))
        pixels = (corner[:, None] + self.patch).minimum(last)  # [M, 9, 2]
        parts = self._parts_at(maps, pixels.flatten(0, 1), _repeated(images, pixels.shape[1]))
        features = F.normalize(torch.cat(parts, dim=1), dim=1).unflatten(0, (len(positions), 9))
        patches = features.transpose(1, 2).unflatten(2, (3, 3))
        offsets = self.desc_head.offsets(patches, furthest=max(maps.size) / 4)
        sampled = self._interpolated_features(
            maps,
            (positions[:, None] + offsets).flatten(0, 1),
            _repeated(images, offsets.shape[1]),
        )
        return self.desc_head(sampled.unflatten(0, offsets.shape[:2]))

    def _interpolated_features(
        self, maps: AlikedMaps, positions: Tensor, images: Tensor | None
    ) -> Tensor:
        """Interpolate the normalised features, zero outside the image, [N, 2] -> [N, D]."""
        corner = positions.floor()
        pixels = corner[:, None] + self.corners  # [N, 4, 2]
        inside = ((pixels >= 0) & (pixels <= maps.last)).all(dim=-1)
        clamped = pixels.clamp_min(0).minimum(maps.last).long()
        parts = self._parts_at(maps, clamped.flatten(0, 1), _repeated(images, len(_CORNERS)))
        squared = torch.stack([part.square().sum(dim=1) for part in parts]).sum(dim=0)
        lengths = squared.sqrt().clamp_min(_TINY).view_as(inside)
        weights = torch.stack(corner_weights(positions - corner), dim=1) * inside / lengths
        rows = torch.arange(inside.numel(), device=inside.device).view_as(inside)
        return torch.cat([weighted_rows(part, rows, weights) for part in parts], dim=1)

    def _parts_at(self, maps: AlikedMaps, pixels: Tensor, images: Tensor | None) -> list[Tensor]:
        """Return the features of whole pixels inside the image, [N, 2] -> four times [N, D/4]."""
        height, width = maps.fine.shape[2:]
        moved = pixels + maps.origin
        x, y = moved.unbind(1)
        if images is not None:
            y = y + images * height
        fine = rows_of(maps.fine).index_select(0, y * width + x)
        parts = [F.selu(F.linear(fine, self.conv1.weight.flatten(1)), inplace=True)]
        share = moved / maps.last_padded
        for coarse in maps.coarse:
            last = small_tensor([coarse.shape[3] - 1, coarse.shape[2] - 1], like=share)
            parts.append(sample_rows(coarse, share * last, images))
        return parts


class _Block(nn.Module):
    """Two 3x3 convolutions with batch normalisation and SELU, and optionally a skip."""

    def __init__(self, inputs: int, outputs: int, *, residual: bool, deformable: bool) -> None:
        super().__init__()
        convolution = _deformable if deformable else _plain
        self.conv1 = convolution(inputs, outputs)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = convolution(outputs, outputs)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = nn.Conv2d(inputs, outputs, 1) if residual else None

    def forward(self, dense: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, D, h, w]."""
        inner = F.selu(_normalised(self.conv1, self.bn1, dense), inplace=True)
        outer = _normalised(self.conv2, self.bn2, inner)
        if self.downsample is not None:
            outer += _pointwise(dense, self.downsample.weight, self.downsample.bias)
        return F.selu(outer, inplace=True)


class _DescriptorHead(nn.Module):
    """Decides where around a position to sample features, and mixes them (section III-C)."""

    def __init__(self, width: int, *, samples: int) -> None:
        super().__init__()
        self.offset_conv = nn.Sequential(
            nn.Conv2d(width, 2 * samples, 3),
            nn.SELU(inplace=True),
            nn.Conv2d(2 * samples, 2 * samples, 1),
        )
        self.sf_conv = nn.Conv2d(width, width, 1, bias=False)
        self.agg_weights = nn.Parameter(torch.rand(samples, width, width))

    def offsets(self, patches: Tensor, *, furthest: float) -> Tensor:
        """Features around positions [M, D, 3, 3] -> where to sample [M, S, 2], relative, px."""
        offsets = self.offset_conv(patches)[:, :, 0, 0].clamp(-furthest, furthest)
        return offsets.unflatten(1, (2, -1)).transpose(1, 2)

    def forward(self, sampled: Tensor) -> Tensor:
        """Sampled features [M, S, D] -> descriptors [M, D] of unit norm."""
        features = F.selu(F.linear(sampled, self.sf_conv.weight[:, :, 0, 0]))
        return unit_rows(features.flatten(1) @ self.agg_weights.flatten(0, 1))


class _PlainConvolution(nn.Conv2d):
    """A 3x3 convolution whose results can be scaled and shifted for nothing."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1, bias=False)

    def forward(
        self, dense: Tensor, scale: Tensor | None = None, shift: Tensor | None = None
    ) -> Tensor:
        """As :class:`DeformableConvolution`."""
        weight = self.weight if scale is None else self.weight * scale[:, None, None, None]
        return F.conv2d(dense, weight, shift, padding=1)


def _pointwise(dense: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Convolve [B, C, h, w] by [D, C] or [D, C, 1, 1], with channels stored last in both maps."""
    return F.linear(dense.permute(0, 2, 3, 1), weight.flatten(1), bias).permute(0, 3, 1, 2)


def _normalised(convolution: nn.Module, norm: nn.BatchNorm2d, dense: Tensor) -> Tensor:
    """Convolve and normalise, in one step where the statistics are given."""
    if norm.training:
        return norm(convolution(dense))
    mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    scale = norm.weight * (variance + norm.eps).rsqrt()
    return convolution(dense, scale, norm.bias - mean * scale)


def _plain(inputs: int, outputs: int) -> nn.Module:
    return _PlainConvolution(inputs, outputs)


def _deformable(inputs: int, outputs: int) -> nn.Module:
    return DeformableConvolution(inputs, outputs, kernel=3)


def _repeated(images: Tensor | None, number: int) -> Tensor | None:
    """Repeat each of [M] so many times: [M * number]; None stays."""
    return None if images is None else images[:, None].expand(-1, number).flatten()


def _split(amount: int) -> tuple[int, int]:
    return amount // 2, amount - amount // 2


def corner_weights(fraction: Tensor) -> tuple[Tensor, ...]:
    """Return the bilinear weights of the four pixels around positions, as ``corners`` has them.

    Args:
        fraction: [..., 2], how far positions are from the pixel at the top left, in [0, 1).

    Returns:
        Four times [...].
    """
    right, below = fraction.unbind(-1)
    return (
        (1 - right) * (1 - below),
        (1 - right) * below,
        right * (1 - below),
        right * below,
    )
