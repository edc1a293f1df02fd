"""XFeat keypoints and descriptors.

Potje et al., "XFeat: Accelerated Features for Lightweight Image Matching", CVPR 2024.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from gluestick.features.points.download import DOWNLOAD
from gluestick.features.points.sampling import find_peaks_of_each, unit_rows, windows_around
from gluestick.features.points.selection import (
    allowed_pixels_of_each,
    check_detector_options,
    chosen_limit,
    lies_in,
    strongest_of_each,
)
from gluestick.features.points.xfeat_network import CELL, DESCRIPTOR_DIM, XFeatNetwork
from gluestick.geometry.pixels import from_resized, to_resized
from gluestick.precision import never_autocast, without_autocast
from gluestick.storage.parameters import load_strict, read_parameters
from gluestick.transfers import small_tensor
from gluestick.types import Points
from gluestick.weights import shipped_path

Variant = Literal["subpixel", "published"]

STRIDE = 32
"""px; both sides of what the network sees are multiples of it."""

_UNUSED = "fine_matcher."
"""The part of the published network that refines semi-dense matches."""


@dataclass(frozen=True, kw_only=True)
class XFeatConfig:
    """Options of :class:`XFeat`.

    Attributes:
        variant: Where keypoints lie: ``subpixel`` at the mean of the probabilities of the 3 x 3
            pixels around a peak, ``published`` at its whole pixel.
        max_num_keypoints: How many keypoints at most, or None for no limit.
        detection_threshold: The probability in (0, 1) that a keypoint exceeds.
        nms_radius: A keypoint has the largest score within this many px, at least 1.
    """

    variant: Variant = "subpixel"
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
        if self.variant not in get_args(Variant):
            raise ValueError(
                f"XFeatConfig.variant needs to be one of {', '.join(get_args(Variant))}, found "
                f"{self.variant!r}"
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
    """

    descriptor_dim: int = DESCRIPTOR_DIM

    def __init__(self, config: XFeatConfig | None = None) -> None:
        super().__init__()
        self.config = config or XFeatConfig()
        self.network = XFeatNetwork()
        self.eval()

    @classmethod
    def from_pretrained(
        cls, config: XFeatConfig | None = None, *, weights: str | None = None
    ) -> "XFeat":
        """Build the detector and load its weights.

        Args:
            config: The options.
            weights: A checkpoint file such as ``xfeat.pt`` of the XFeat repository, or None for
                the file that comes with the package, which is also meant by "download".

        Raises:
            ValueError: If the file is missing, damaged or belongs to another network.
        """
        detector = cls(config)
        if weights is None or weights == DOWNLOAD:
            weights = str(shipped_path("xfeat.safetensors"))
        state, _ = read_parameters(weights)
        state = {name: value for name, value in state.items() if not name.startswith(_UNUSED)}
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
        return self.detect_each(image[None], masks=[mask], max_num_keypoints=max_num_keypoints)[0]

    @torch.no_grad()
    @never_autocast
    def detect_each(
        self,
        images: Tensor,
        *,
        masks: Sequence[Tensor | None] | None = None,
        max_num_keypoints: int | None = None,
    ) -> list[Points]:
        """Find and describe keypoints of several images of one size at once.

        Arguments, results and errors are those of
        :class:`gluestick.features.protocols.BatchedPointDetector`.
        """
        limit = chosen_limit(max_num_keypoints, self.config.max_num_keypoints)
        allowed = allowed_pixels_of_each(images, masks)
        height, width = allowed.shape[1:]
        size = tuple(max(STRIDE, side // STRIDE * STRIDE) for side in (width, height))
        scale = small_tensor([size[0] / width, size[1] / height], like=images)
        resized = images
        if size != (width, height):
            resized = F.interpolate(images, size[::-1], mode="bilinear", align_corners=False)
        maps = self.network(resized)
        heatmaps = F.pixel_shuffle(maps.keypoint_logits.softmax(dim=1)[:, :-1], CELL)[:, 0]
        samplers = [
            XFeatSampler(dense=dense, scale=scale) for dense in F.normalize(maps.descriptors, dim=1)
        ]
        found = self._keypoints(
            heatmaps, maps.reliability, allowed, scale=scale, max_num_keypoints=limit
        )
        return [
            Points(
                keypoints=keypoints,
                scores=scores,
                descriptors=describe(keypoints),
                describe=describe,
            )
            for (keypoints, scores), describe in zip(found, samplers, strict=True)
        ]

    def _keypoints(
        self,
        heatmaps: Tensor,
        reliability: Tensor,
        allowed: Tensor,
        *,
        scale: Tensor,
        max_num_keypoints: int | None,
    ) -> list[tuple[Tensor, Tensor]]:
        """Return the best local maxima of probabilities [B, H, W] of the resized images.

        For each image these are positions [N, 2] px of the image itself and scores [N], best
        first.
        """
        peaks = find_peaks_of_each(
            heatmaps, radius=self.config.nms_radius, threshold=self.config.detection_threshold
        )
        keypoints, scores, usable = [], [], []
        for own, heatmap, reliable, inside in zip(
            peaks, heatmaps, reliability, allowed, strict=True
        ):
            whole = torch.stack([own.x, own.y], dim=1).to(heatmap.dtype)
            placed = whole
            if self.config.variant == "subpixel":
                windows, offsets = windows_around(heatmap, own.x, own.y, radius=1)
                placed = whole + windows @ offsets.to(windows) / windows.sum(dim=1, keepdim=True)
            keypoints.append(from_resized(placed, scale=scale))
            scores.append(heatmap[own.y, own.x] * _sample(reliable, whole, mode="bilinear")[:, 0])
            usable.append(own.strict & lies_in(keypoints[-1], inside))
        best = strongest_of_each(scores, usable, max_num_keypoints=max_num_keypoints)
        return [
            (positions[order], own[order])
            for positions, own, order in zip(keypoints, scores, best, strict=True)
        ]


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
    size = [dense.shape[2] * CELL, dense.shape[1] * CELL]
    return small_tensor(size, like=positions) - 1
