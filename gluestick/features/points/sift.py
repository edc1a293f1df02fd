"""SIFT keypoints with root-SIFT descriptors, by OpenCV.

Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV 2004; Arandjelovic and
Zisserman, "Three things everyone should know to improve object retrieval", CVPR 2012.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from gluestick.features.points.orientation import dominant_orientations
from gluestick.features.points.sampling import unit_rows
from gluestick.features.points.selection import (
    allowed_pixels,
    check_detector_options,
    chosen_limit,
    lies_in,
    strongest,
    suppress_neighbours,
)
from gluestick.images.load import to_grayscale
from gluestick.transfers import to_device, to_host
from gluestick.types import Points

_SCALE = 3.2
"""The scale (sigma, px) at which given positions are described: a window of 38 px."""

_PYRAMID_LEVEL = 0 | 3 << 8
"""OpenCV's code for the image of that scale: octave 0, layer 3 (1.6 * 2 ** (3 / 3) px)."""

_SMALLEST = 16
"""Smaller images are filled up to this many px on a side for OpenCV's pyramid."""


@dataclass(frozen=True, kw_only=True)
class SiftConfig:
    """Options of :class:`Sift`.

    Attributes:
        max_num_keypoints: How many keypoints at most, or None for no limit.
        detection_threshold: The contrast that a keypoint exceeds, as OpenCV's
            ``contrastThreshold``; the brightness range counts as 1.
        nms_radius: Keypoints keep this distance, px; with 0 only the repeated positions are
            dropped which OpenCV reports for points with several orientations.
    """

    max_num_keypoints: int | None = 1024
    detection_threshold: float = 0.04
    nms_radius: int = 0

    def __post_init__(self) -> None:
        check_detector_options(
            "SiftConfig", max_num_keypoints=self.max_num_keypoints, nms_radius=self.nms_radius
        )
        if self.detection_threshold < 0:
            raise ValueError(
                "SiftConfig.detection_threshold needs to be at least 0, "
                f"found {self.detection_threshold}"
            )


class Sift:
    """Detects and describes keypoints with SIFT, on the CPU.

    Detected keypoints have their own scale and orientation. Given positions, which have
    neither, are described at a fixed scale of 3.2 px and their dominant orientation.

    Args:
        config: The options.
    """

    descriptor_dim: int = 128

    def __init__(self, config: SiftConfig | None = None) -> None:
        self.config = config or SiftConfig()

    def detect(
        self, image: Tensor, *, mask: Tensor | None = None, max_num_keypoints: int | None = None
    ) -> Points:
        """Find and describe keypoints; see :class:`gluestick.features.protocols.PointDetector`.

        Args:
            image: [3, H, W] float32 in [0, 1], RGB.
            mask: [H, W] bool; keypoints lie only where it is True.
            max_num_keypoints: How many keypoints at most, or None for the configured number.

        Returns:
            Keypoints with sub-pixel coordinates, OpenCV's responses as scores, and root-SIFT
            descriptors [N, 128].

        Raises:
            ShapeError: If the image or the mask has another shape.
        """
        limit = chosen_limit(max_num_keypoints, self.config.max_num_keypoints)
        allowed_here = allowed_pixels(image, mask)
        gray, allowed = to_host((to_grayscale(image) * 255).round().to(torch.uint8), allowed_here)
        found, histograms = _engine(self.config).detectAndCompute(_filled_up(gray), None)
        if histograms is None:
            histograms = np.zeros((0, self.descriptor_dim), np.float32)
        keypoints = torch.tensor([point.pt for point in found], dtype=torch.float32).reshape(-1, 2)
        scores = torch.tensor([point.response for point in found], dtype=torch.float32)
        order = strongest(scores, max_num_keypoints=None)
        order = order[lies_in(keypoints[order], torch.from_numpy(allowed))]
        order = order[suppress_neighbours(keypoints[order], radius=self.config.nms_radius)]
        order = order[:limit]
        chosen = (keypoints[order], scores[order], _root_sift(histograms)[order])
        on_device = to_device(*(value.numpy() for value in chosen), device=image.device)
        return Points(
            keypoints=on_device[0],
            scores=on_device[1],
            descriptors=on_device[2],
            describe=SiftSampler(gray=gray, config=self.config),
        )


@dataclass(frozen=True, kw_only=True)
class SiftSampler:
    """Describes positions in an image by root-SIFT at a fixed scale.

    Attributes:
        gray: [H, W] uint8, the image.
        config: The options of the detector.
    """

    gray: np.ndarray
    config: SiftConfig

    def __call__(self, positions: Tensor) -> Tensor:
        """Describe positions [M, 2] px, those outside the image moved to its border, [M, 128]."""
        if len(positions) == 0:
            return positions.new_zeros((0, Sift.descriptor_dim))
        last = np.array(self.gray.shape[::-1]) - 1
        moved = positions.detach().cpu().numpy().astype(np.float64).clip(0, last)
        angles = dominant_orientations(self.gray, moved, sigma=_SCALE)
        points = [
            cv2.KeyPoint(x, y, 2 * _SCALE, angle, 1.0, _PYRAMID_LEVEL)
            for (x, y), angle in zip(moved.tolist(), angles.tolist(), strict=True)
        ]
        _, histograms = _engine(self.config).compute(_filled_up(self.gray), points)
        return _root_sift(histograms).to(positions)


def _engine(config: SiftConfig) -> cv2.SIFT:
    # Without the precise upscaling OpenCV's keypoints lie 0.25 px too far right and down.
    return cv2.SIFT.create(
        contrastThreshold=config.detection_threshold, enable_precise_upscale=True
    )


def _filled_up(gray: np.ndarray) -> np.ndarray:
    height, width = gray.shape
    return cv2.copyMakeBorder(
        gray,
        0,
        max(0, _SMALLEST - height),
        0,
        max(0, _SMALLEST - width),
        cv2.BORDER_REPLICATE,
    )


def _root_sift(histograms: np.ndarray) -> Tensor:
    """Return the element-wise root of L1-normalised histograms [M, 128], of unit norm."""
    return unit_rows(torch.from_numpy(histograms).float().sqrt())
