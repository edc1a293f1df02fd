"""ALIKED keypoints and descriptors (Zhao et al., IEEE TIM 2023)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor, nn

from gluestick.features.points.aliked_network import AlikedMaps, AlikedNetwork, Variant
from gluestick.features.points.sampling import Peaks, find_peaks_of_each, sample_map
from gluestick.features.points.selection import (
    allowed_pixels_of_each,
    check_detector_options,
    chosen_limit,
    image_indices,
    lies_in,
    strongest_of_each,
)
from gluestick.precision import never_autocast, without_autocast
from gluestick.storage.parameters import load_strict, read_parameters
from gluestick.types import Points
from gluestick.weights import shipped_path

TEMPERATURE = 0.1
"""Of the soft arg-max that places a keypoint within its pixel."""


@dataclass(frozen=True, kw_only=True)
class AlikedConfig:
    """Options of :class:`Aliked`.

    Attributes:
        variant: The network: n16, n16rot (trained with rotations), n32 (32 descriptor samples)
            or t16 (tiny, 64-dimensional descriptors).
        max_num_keypoints: How many keypoints at most, or None for no limit.
        detection_threshold: The score in [0, 1) that a keypoint exceeds. 0 fills the number of
            keypoints also where there is little texture; published demos use 0.2.
        nms_radius: A keypoint has the largest score within this many px, at least 1.
    """

    variant: Variant = "n16"
    max_num_keypoints: int | None = 1024
    detection_threshold: float = 0.0
    nms_radius: int = 2

    def __post_init__(self) -> None:
        check_detector_options(
            "AlikedConfig",
            max_num_keypoints=self.max_num_keypoints,
            nms_radius=self.nms_radius,
            least_radius=1,
        )
        if self.variant not in get_args(Variant):
            raise ValueError(
                f"AlikedConfig.variant needs to be one of {', '.join(get_args(Variant))}, "
                f"found {self.variant!r}"
            )


@dataclass(frozen=True, kw_only=True)
class AlikedSampler:
    """Describes positions in an image by ALIKED's maps.

    Attributes:
        network: Holds the descriptor head.
        maps: What the network knows about the image.
    """

    network: AlikedNetwork
    maps: AlikedMaps

    @torch.no_grad()
    def __call__(self, positions: Tensor) -> Tensor:
        """Describe positions [M, 2] px, on any device: [M, D], rows of unit norm."""
        with without_autocast(self.maps.fine.device):
            described = self.network.describe(self.maps, positions.to(self.maps.fine))
        return described.to(positions.device)


class Aliked(nn.Module):
    """Detects and describes keypoints with ALIKED.

    The constructor builds the network with random weights; :meth:`from_pretrained` loads them.

    Args:
        config: The options.
    """

    def __init__(self, config: AlikedConfig | None = None) -> None:
        super().__init__()
        self.config = config or AlikedConfig()
        self.network = AlikedNetwork(self.config.variant)
        self.descriptor_dim: int = self.network.descriptor_dim
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
        state_dict, _ = read_parameters(source)
        load_strict(detector.network, state_dict, source=source)
        return detector

    @torch.no_grad()
    @never_autocast
    def detect(
        self, image: Tensor, *, mask: Tensor | None = None, max_num_keypoints: int | None = None
    ) -> Points:
        """Find and describe keypoints; see :class:`gluestick.features.protocols.PointDetector`.

        Args:
            image: [3, H, W] float32 in [0, 1], RGB.
            mask: [H, W] bool; keypoints lie only where it is True.
            max_num_keypoints: How many keypoints at most, or None for the configured number.

        Returns:
            Keypoints with sub-pixel coordinates, scores in (0, 1) and descriptors [N, D].

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
        maps, scores = self.network(images)
        found = self._keypoints(scores, allowed, max_num_keypoints=limit)
        counts = [len(keypoints) for keypoints, _ in found]
        described = self.network.describe(
            maps,
            torch.cat([keypoints for keypoints, _ in found]),
            image_indices(counts, device=images.device) if len(found) > 1 else None,
        )
        return [
            Points(
                keypoints=keypoints,
                scores=keypoint_scores,
                descriptors=descriptors,
                describe=AlikedSampler(network=self.network, maps=maps.take(index)),
            )
            for index, ((keypoints, keypoint_scores), descriptors) in enumerate(
                zip(found, described.split(counts), strict=True)
            )
        ]

    def _keypoints(
        self, scores: Tensor, allowed: Tensor, *, max_num_keypoints: int | None
    ) -> list[tuple[Tensor, Tensor]]:
        """Return the best local maxima of [B, H, W], refined by a soft arg-max.

        For each image these are positions [N, 2] px and scores [N], best first.
        """
        peaks = find_peaks_of_each(
            scores,
            radius=self.config.nms_radius,
            threshold=self.config.detection_threshold,
            allowed=allowed,
        )
        keypoints = [_refined(own) for own in peaks]
        refined_scores = [
            sample_map(own[None], positions)[:, 0]
            for own, positions in zip(scores, keypoints, strict=True)
        ]
        usable = [
            own.strict & lies_in(positions, inside)
            for own, positions, inside in zip(peaks, keypoints, allowed, strict=True)
        ]
        best = strongest_of_each(refined_scores, usable, max_num_keypoints=max_num_keypoints)
        return [
            (positions[order], own[order])
            for positions, own, order in zip(keypoints, refined_scores, best, strict=True)
        ]


def _refined(peaks: Peaks) -> Tensor:
    """Move peaks by a soft arg-max over their windows, [N, 2] px."""
    shifts = (peaks.windows / TEMPERATURE).softmax(dim=1)
    shifts = shifts @ peaks.offsets.to(shifts.dtype)
    return torch.stack([peaks.x, peaks.y], dim=1) + shifts
