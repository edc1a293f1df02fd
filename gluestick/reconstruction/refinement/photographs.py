"""Photographs in which keypoints are aligned, and the alignment in px as stored."""

from collections import OrderedDict
from pathlib import Path

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

Photograph = tuple[SmoothImage, np.ndarray]
"""A reduced photograph and its scale (x, y)."""


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
        """Return a photograph and its scale (x, y), or None where it cannot be read."""
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
        return SmoothImage(gray, smoothing=self._smoothing), scale.double().numpy()

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
    scale0, scale1 = photograph0[1], photograph1[1]
    maps = scale1[:, None] * maps / scale0
    usable = np.isfinite(maps).all(axis=(1, 2))
    alignment = align_patches(
        photograph0[0],
        photograph1[0],
        to_resized(start, scale=scale0)[usable],
        to_resized(expected, scale=scale1)[usable],
        maps[usable],
        config=config,
    )
    positions, found = expected.copy(), np.zeros(len(expected), dtype=bool)
    positions[usable] = from_resized(alignment.positions, scale=scale1)
    found[usable] = alignment.found
    return np.where(found[:, None], positions, expected), found
