"""The two published layouts of the SuperPoint network.

Both share the architecture of DeTone et al. (2018): a VGG-style encoder down to an eighth of
the resolution, and two heads. Magic Leap's layers are convolution and ReLU; the open
re-training has a batch normalisation after the ReLU, and also after each head's last layer.
Parameter names are those of the checkpoints.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from gluestick.transfers import small_tensor

DESCRIPTOR_DIM = 256

_WIDTHS = (64, 64, 128, 128)
_HEAD_WIDTH = 256
_CELL_LOGITS = 65
_OPEN_EPS = 1e-3


class DenseOutput(NamedTuple):
    """What the network computes for every cell of 8 x 8 px.

    Attributes:
        features: [1, 128, h, w], the encoder's output.
        logits: [1, 65, h, w]; channel 8 i + j < 64 is row i and column j of the cell, and the
            last channel stands for "no keypoint".
        descriptors: [1, 256, h, w], each of unit norm.
    """

    features: Tensor
    logits: Tensor
    descriptors: Tensor


class MagicLeapNetwork(nn.Module):
    """The layout of ``superpoint_v1.pth``."""

    def __init__(self) -> None:
        super().__init__()
        channels = 1
        for level, width in enumerate(_WIDTHS, start=1):
            self.add_module(f"conv{level}a", nn.Conv2d(channels, width, 3, padding=1))
            self.add_module(f"conv{level}b", nn.Conv2d(width, width, 3, padding=1))
            channels = width
        self.convPa = nn.Conv2d(channels, _HEAD_WIDTH, 3, padding=1)
        self.convPb = nn.Conv2d(_HEAD_WIDTH, _CELL_LOGITS, 1)
        self.convDa = nn.Conv2d(channels, _HEAD_WIDTH, 3, padding=1)
        self.convDb = nn.Conv2d(_HEAD_WIDTH, DESCRIPTOR_DIM, 1)

    def forward(self, gray: Tensor) -> DenseOutput:
        """Run the network on [1, 1, H, W] in [0, 1]."""
        features = gray
        for level in range(1, len(_WIDTHS) + 1):
            if level > 1:
                features = F.max_pool2d(features, 2)
            features = F.relu(self.get_submodule(f"conv{level}a")(features))
            features = F.relu(self.get_submodule(f"conv{level}b")(features))
        return DenseOutput(
            features=features,
            logits=self.convPb(F.relu(self.convPa(features))),
            descriptors=F.normalize(self.convDb(F.relu(self.convDa(features))), dim=1),
        )

    @staticmethod
    def map_positions(positions: Tensor, *, size: tuple[int, int]) -> Tensor:
        """Return where the descriptor map of this layout is read.

        The published code samples with aligned corners, which stretches the map a little
        beyond the half-pixel rule.

        Args:
            positions: [M, 2] px of the image.
            size: (w, h) of the map.

        Returns:
            [M, 2] px of the map.
        """
        cells = small_tensor(size, like=positions)
        return (positions - 3.5) / (8 * cells - 4.5) * (cells - 1)


class OpenNetwork(nn.Module):
    """The layout of the open re-training, ``superpoint_v6_from_tf.pth``."""

    def __init__(self) -> None:
        super().__init__()
        inputs = (1, *_WIDTHS[:-1])
        self.backbone = nn.Sequential(
            *(
                nn.Sequential(_OpenLayer(before, width, 3), _OpenLayer(width, width, 3))
                for before, width in zip(inputs, _WIDTHS, strict=True)
            )
        )
        self.detector = nn.Sequential(
            _OpenLayer(_WIDTHS[-1], _HEAD_WIDTH, 3),
            _OpenLayer(_HEAD_WIDTH, _CELL_LOGITS, 1, relu=False),
        )
        self.descriptor = nn.Sequential(
            _OpenLayer(_WIDTHS[-1], _HEAD_WIDTH, 3),
            _OpenLayer(_HEAD_WIDTH, DESCRIPTOR_DIM, 1, relu=False),
        )

    def forward(self, gray: Tensor) -> DenseOutput:
        """Run the network on [1, 1, H, W] in [0, 1]."""
        features = gray
        for index, level in enumerate(self.backbone):
            features = level(F.max_pool2d(features, 2) if index else features)
        return DenseOutput(
            features=features,
            logits=self.detector(features),
            descriptors=F.normalize(self.descriptor(features), dim=1),
        )

    @staticmethod
    def map_positions(positions: Tensor, *, size: tuple[int, int]) -> Tensor:
        """Return where the descriptor map of this layout is read: by the half-pixel rule.

        Arguments and result are those of :meth:`MagicLeapNetwork.map_positions`.
        """
        return (positions + 0.5) / 8 - 0.5


class _OpenLayer(nn.Module):
    """Convolution, ReLU unless it is a head's last, batch normalisation."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, relu: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
        self.bn = nn.BatchNorm2d(outputs, eps=_OPEN_EPS)
        self.relu = relu

    def forward(self, dense: Tensor) -> Tensor:
        convolved = self.conv(dense)
        return self.bn(torch.relu(convolved) if self.relu else convolved)
