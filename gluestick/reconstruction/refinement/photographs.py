"""Photographs in which keypoints are aligned, and the alignment in px as stored."""

from collections import OrderedDict
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from gluestick.geometry.pixels import from_resized, to_resized
from gluestick.images import ResizeConfig
from gluestick.images.load import as_image, to_grayscale
from gluestick.images.resize import resize_image
from gluestick.reconstruction.refinement.patch_alignment import (
    AlignmentConfig,
    SmoothImage,
    align_patches,
)

_IMAGES_IN_MEMORY = 24

_MAX_LEVEL = 4
"""How often a photograph is halved at most, to be seen as one from further away sees it."""


class Photograph:
    """A grey photograph, reduced, with smaller copies.

    Args:
        gray: [H, W] grey values.
        scale: (x, y), px of ``gray`` per px as stored.
        smoothing: Standard deviation of the filter, px of each copy.
    """

    def __init__(self, gray: np.ndarray, scale: np.ndarray, *, smoothing: float) -> None:
        self.scale = scale
        self._gray, self._smoothing = gray, smoothing
        self._copies: dict[int, tuple[SmoothImage, np.ndarray]] = {}

    def halved(self, level: int) -> tuple[SmoothImage, np.ndarray]:
        """Return the copy that was halved ``level`` times, and its scale (x, y)."""
        if level not in self._copies:
            gray, size = self._gray, np.array(self._gray.shape[::-1])
            smaller = np.maximum(np.round(size / 2**level), 1).astype(int)
            if level > 0:
                gray = cv2.resize(gray, smaller.tolist(), interpolation=cv2.INTER_AREA)
            image = SmoothImage(gray, smoothing=self._smoothing)
            self._copies[level] = image, self.scale * smaller / size
        return self._copies[level]


class Photographs:
    """Grey photographs as stored, reduced, of which memory holds a few.

    Args:
        image_dir: Their folder.
        names: Their names by number.
        size: Photographs whose longer side has more px are reduced to it.
        smoothing: Standard deviation of the filter, px as reduced.
    """

    def __init__(
        self, image_dir: Path, names: dict[int, str], *, size: int, smoothing: float
    ) -> None:
        self._image_dir, self._names = image_dir, names
        self._resize = ResizeConfig(size=size)
        self._smoothing = smoothing
        self._kept: OrderedDict[int, Photograph | None] = OrderedDict()
        self._scales: dict[int, float] = {}

    def get(self, number: int) -> Photograph | None:
        """Return a photograph, or None where it cannot be read."""
        if number in self._kept:
            self._kept.move_to_end(number)
            return self._kept[number]
        found = self._read(number)
        self._kept[number] = found
        if len(self._kept) > _IMAGES_IN_MEMORY:
            self._kept.popitem(last=False)
        return found

    def _read(self, number: int) -> Photograph | None:
        try:
            with Image.open(self._image_dir / self._names[number]) as opened:
                image = as_image(opened)  # EXIF is not applied
        except (ValueError, OSError):
            return None
        reduced, scale = resize_image(image, config=self._resize)
        self._scales[number] = float(scale.mean())
        gray = 255 * to_grayscale(reduced).numpy()
        return Photograph(gray, scale.double().numpy(), smoothing=self._smoothing)

    def mean_enlargement(self) -> float:
        """Return how many px of the photographs one px of what was looked at is."""
        return float(np.mean([1 / scale for scale in self._scales.values()] or [1.0]))


def align_observations(
    photograph0: Photograph,
    photograph1: Photograph,
    start: np.ndarray,
    expected: np.ndarray,
    maps: np.ndarray,
    *,
    config: AlignmentConfig,
) -> tuple[np.ndarray, np.ndarray]:
    """Find in one photograph what surrounds keypoints of another.

    Where one shows things at more than about 1.4 times the size at which the other does, a smaller
    copy of it is looked at, so that both show the same detail.

    Args:
        photograph0: The photograph of the keypoints.
        photograph1: The other one.
        start: [N, 2] px as stored, the keypoints.
        expected: [N, 2] px as stored, where they are thought to be in the other.
        maps: [N, 2, 2], how steps in the first become steps in the other, px as stored; NaN
            where that is not known.
        config: The options.

    Returns:
        Where they are [N, 2] px as stored, as expected where they were not found, and which
        were found [N] bool.
    """
    areas = np.abs(maps[:, 0, 0] * maps[:, 1, 1] - maps[:, 0, 1] * maps[:, 1, 0])
    enlargements = np.sqrt(areas) * photograph1.scale.mean() / photograph0.scale.mean()
    usable = np.isfinite(enlargements) & (enlargements > 0)
    levels = np.zeros(len(maps), dtype=int)  # of photograph 1; of photograph 0 where negative
    levels[usable] = np.round(np.log2(enlargements[usable]))
    levels = levels.clip(-_MAX_LEVEL, _MAX_LEVEL)
    positions, found = expected.copy(), np.zeros(len(expected), dtype=bool)
    for level in np.unique(levels[usable]).tolist():
        rows = usable & (levels == level)
        image0, scale0 = photograph0.halved(max(-level, 0))
        image1, scale1 = photograph1.halved(max(level, 0))
        alignment = align_patches(
            image0,
            image1,
            to_resized(start[rows], scale=scale0),
            to_resized(expected[rows], scale=scale1),
            scale1[:, None] * maps[rows] / scale0,
            config=config,
        )
        positions[rows] = from_resized(alignment.positions, scale=scale1)
        found[rows] = alignment.found
    return np.where(found[:, None], positions, expected), found
