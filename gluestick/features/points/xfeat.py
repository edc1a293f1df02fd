"""XFeat keypoints and descriptors.

Potje et al., "XFeat: Accelerated Features for Lightweight Image Matching", CVPR 2024. The
network is kornia's, which has it from version 0.9 on (Python 3.11 or later).
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from gluestick.features.points.download import DOWNLOAD, fetch_weights
from gluestick.features.points.sampling import find_peaks, unit_rows
from gluestick.features.points.selection import (
    allowed_pixels,
    check_detector_options,
    chosen_limit,
    lies_in,
    strongest,
)
from gluestick.geometry.pixels import from_resized, to_resized
from gluestick.precision import never_autocast, without_autocast
from gluestick.storage.parameters import load_strict, read_parameters
from gluestick.transfers import small_tensor
from gluestick.types import Points

_STRIDE = 32
_CELL = 8


@dataclass(frozen=True, kw_only=True)
class XFeatConfig:
    """Options of :class:`XFeat`.

    Attributes:
        max_num_keypoints: How many keypoints at most, or None for no limit.
        detection_threshold: The probability in (0, 1) that a keypoint exceeds.
        nms_radius: A keypoint has the largest score within this many px, at least 1.
    """

    max_num_keypoints: int | None = 1024
    detection_threshold: float = 0.05
    nms_radius: int = 2

    def __post_init__(self) -> None:
        check_detector_options(
            "XFeatConfig",
            max_num_keypoints=self.max_num_keypoints,
            nms_radius=self.nms_radius,
            least_radius=1,
        )


@dataclass(frozen=True, kw_only=True)
class XFeatSampler:
    """Describes positions in an image by XFeat's dense map.

    Attributes:
        dense: [64, h, w], of the resized image.
        scale: [2], (x, y), the size of the resized image over that of the image.
    """

    dense: Tensor
    scale: Tensor

    @torch.no_grad()
    def __call__(self, positions: Tensor) -> Tensor:
        """Describe positions [M, 2] px, those outside the image moved to its border, [M, 64]."""
        with without_autocast(self.dense.device):
            resized = to_resized(positions.to(self.dense), scale=self.scale)
            moved = resized.clamp_min(0).minimum(_last_pixel(self.dense, resized))
            described = unit_rows(_sample(self.dense, moved, mode="bicubic"))
        return described.to(positions.device)


class XFeat(nn.Module):
    """Detects and describes keypoints with XFeat.

    The constructor builds the network with random weights; :meth:`from_pretrained` loads them.

    Args:
        config: The options.

    Raises:
        ValueError: If the installed kornia is older than 0.9.
    """

    descriptor_dim: int = 64

    def __init__(self, config: XFeatConfig | None = None) -> None:
        super().__init__()
        self.config = config or XFeatConfig()
        self.network = _kornia_class("XFeatModel")()
        self.eval()

    @classmethod
    def from_pretrained(cls, config: XFeatConfig | None = None, *, weights: str) -> "XFeat":
        """Build the detector and load its weights.

        Args:
            config: The options.
            weights: A checkpoint file such as ``xfeat.pt`` of the XFeat repository, or
                "download" to let kornia fetch it.

        Raises:
            ValueError: If the file is missing, damaged or belongs to another network, or the
                download fails.
        """
        detector = cls(config)
        if weights == DOWNLOAD:
            published = _kornia_class("XFeat")
            state = fetch_weights("XFeat", lambda: published.from_pretrained().net)
        else:
            state, _ = read_parameters(weights)
        load_strict(detector.network, state, source=weights)
        return detector

    @torch.no_grad()
    @never_autocast
    def detect(
        self, image: Tensor, *, mask: Tensor | None = None, max_num_keypoints: int | None = None
    ) -> Points:
        """Find and describe keypoints; see :class:`gluestick.features.protocols.PointDetector`.

        The network sees the image with both sides rounded down to multiples of 32 px.

        Args:
            image: [3, H, W] float32 in [0, 1], RGB.
            mask: [H, W] bool; keypoints lie only where it is True.
            max_num_keypoints: How many keypoints at most, or None for the configured number.

        Returns:
            Keypoints, scores (probability times reliability, in (0, 1)), descriptors [N, 64].

        Raises:
            ShapeError: If the image or the mask has another shape.
        """
        limit = chosen_limit(max_num_keypoints, self.config.max_num_keypoints)
        allowed = allowed_pixels(image, mask)
        height, width = allowed.shape
        size = tuple(max(_STRIDE, side // _STRIDE * _STRIDE) for side in (width, height))
        scale = small_tensor([size[0] / width, size[1] / height], like=image)
        resized = F.interpolate(image[None], size=size[::-1], mode="bilinear", align_corners=False)
        dense, logits, reliability = self.network(resized)
        dense = F.normalize(dense, dim=1)[0]
        heatmap = F.pixel_shuffle(logits.softmax(dim=1)[:, :-1], _CELL)[0, 0]

        peaks = find_peaks(
            heatmap, radius=self.config.nms_radius, threshold=self.config.detection_threshold
        )
        whole = torch.stack([peaks.x, peaks.y], dim=1).to(heatmap.dtype)
        keypoints = from_resized(whole, scale=scale)
        kept = (peaks.strict & lies_in(keypoints, allowed)).nonzero()[:, 0]
        reliable = _sample(reliability[0], whole[kept], mode="bilinear")[:, 0]
        scores = heatmap[peaks.y[kept], peaks.x[kept]] * reliable
        order = strongest(scores, max_num_keypoints=limit)
        keypoints = keypoints[kept[order]]
        describe = XFeatSampler(dense=dense, scale=scale)
        return Points(
            keypoints=keypoints,
            scores=scores[order],
            descriptors=describe(keypoints),
            describe=describe,
        )


def _kornia_class(name: str) -> Any:
    try:
        module = import_module("kornia.feature.xfeat")
    except ImportError as error:
        raise ValueError(
            "xfeat needs kornia 0.9 or later, which needs Python 3.11 or later: upgrade, or choose "
            "another point detector"
        ) from error
    return getattr(module, name)


def _sample(dense: Tensor, positions: Tensor, *, mode: str) -> Tensor:
    """Interpolate a map [D, h, w] at [M, 2] px of the resized image, as in training.

    The published interpolation divides by W - 1 where the half-pixel rule has W, so it reads
    up to half a cell away; the weights have learnt it.
    """
    grid = 2 * positions / _last_pixel(dense, positions) - 1
    sampled = F.grid_sample(dense[None], grid[None, None], mode=mode, align_corners=False)
    return sampled[0, :, 0].T


def _last_pixel(dense: Tensor, positions: Tensor) -> Tensor:
    """Return the last pixel (x, y) of the resized image, in the type of ``positions``."""
    size = [dense.shape[2] * _CELL, dense.shape[1] * _CELL]
    return small_tensor(size, like=positions) - 1
