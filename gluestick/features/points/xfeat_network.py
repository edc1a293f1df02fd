"""The XFeat network.

Potje et al., "XFeat: Accelerated Features for Lightweight Image Matching", CVPR 2024. Parameter
names are those of the published checkpoint, whose part for semi-dense matching is left out, and
the numbers are those of the published network. Batch normalisation is part of the convolution
before it unless it is trained.
"""

from typing import NamedTuple, cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

CELL = 8
"""px on a side of what one pixel of the maps stands for."""

DESCRIPTOR_DIM = 64


class XFeatMaps(NamedTuple):
    """What the network says about an image.

    Attributes:
        descriptors: [B, 64, H/8, W/8].
        keypoint_logits: [B, 65, H/8, W/8]; channel 8 (y % 8) + x % 8 stands for the pixel (x, y) of
            a cell, the last one for none.
        reliability: [B, 1, H/8, W/8] in (0, 1).
    """

    descriptors: Tensor
    keypoint_logits: Tensor
    reliability: Tensor


class XFeatNetwork(nn.Module):
    """Computes dense descriptors, where keypoints are, and how far to rely on them."""

    def __init__(self) -> None:
        super().__init__()
        dim = DESCRIPTOR_DIM
        self.skip1 = nn.Sequential(nn.AvgPool2d(4), nn.Conv2d(1, 24, 1))
        self.block1 = nn.Sequential(
            _Layer(1, 4), _Layer(4, 8, stride=2), _Layer(8, 8), _Layer(8, 24, stride=2)
        )
        self.block2 = nn.Sequential(_Layer(24, 24), _Layer(24, 24))
        self.block3 = nn.Sequential(
            _Layer(24, dim, stride=2), _Layer(dim, dim), _Layer(dim, dim, kernel=1)
        )
        self.block4 = nn.Sequential(_Layer(dim, dim, stride=2), _Layer(dim, dim), _Layer(dim, dim))
        self.block5 = nn.Sequential(
            _Layer(dim, 128, stride=2),
            _Layer(128, 128),
            _Layer(128, 128),
            _Layer(128, dim, kernel=1),
        )
        self.block_fusion = nn.Sequential(
            _Layer(dim, dim), _Layer(dim, dim), nn.Conv2d(dim, dim, 1)
        )
        self.heatmap_head = nn.Sequential(
            _Layer(dim, dim, kernel=1), _Layer(dim, dim, kernel=1), nn.Conv2d(dim, 1, 1)
        )
        self.keypoint_head = nn.Sequential(
            *(_Layer(CELL**2, CELL**2, kernel=1) for _ in range(3)),
            nn.Conv2d(CELL**2, CELL**2 + 1, 1),
        )

    def forward(self, images: Tensor) -> XFeatMaps:
        """Run the network.

        Args:
            images: [B, 3, H, W] in [0, 1], RGB; both sides are multiples of 32 px.

        Returns:
            The maps.
        """
        grey = F.instance_norm(images.mean(dim=1, keepdim=True))
        quarter = self.block1(grey) + self.skip1(grey)
        quarter = quarter.contiguous(memory_format=torch.channels_last)
        eighth = self.block3(self.block2(quarter))
        sixteenth = self.block4(eighth)
        coarse = (sixteenth, self.block5(sixteenth))
        size = eighth.shape[-2:]
        enlarged = (F.interpolate(x, size, mode="bilinear", align_corners=False) for x in coarse)
        descriptors = self.block_fusion(sum(enlarged, eighth))
        return XFeatMaps(
            descriptors=descriptors,
            keypoint_logits=self.keypoint_head(F.pixel_unshuffle(grey, CELL)),
            reliability=self.heatmap_head(descriptors).sigmoid(),
        )


class _Layer(nn.Module):
    """A convolution, batch normalisation without parameters, and ReLU."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.layer = nn.Sequential(
            nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(outputs, affine=False),
        )

    def forward(self, dense: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, D, h, w], or half as large."""
        convolution, norm = cast(nn.Conv2d, self.layer[0]), cast(nn.BatchNorm2d, self.layer[1])
        if norm.training:
            return F.relu(self.layer(dense), inplace=True)
        scale = (norm.get_buffer("running_var") + norm.eps).rsqrt()
        return F.relu(
            F.conv2d(
                dense,
                convolution.weight * scale[:, None, None, None],
                -norm.get_buffer("running_mean") * scale,
                stride=convolution.stride,
                padding=convolution.padding,
            ),
            inplace=True,
        )
