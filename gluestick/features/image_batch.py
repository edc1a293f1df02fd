"""Images as users give them, one or several, with what they know about each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import IOBase
from os import PathLike
from types import NoneType

import numpy as np
from PIL import Image
from torch import Tensor

from gluestick.features.lines.given import LineArray, check_lines
from gluestick.images.load import ImageLike, as_image, as_mask
from gluestick.types import Lines

Array = Tensor | np.ndarray
OneOrMoreImages = ImageLike | Iterable[ImageLike]
OneOrMoreMasks = ImageLike | Iterable[ImageLike | None]
OneOrMoreLines = Lines | Array | Iterable[Lines | LineArray | None]

_ONE_ENTRY = (Lines, str, PathLike, Image.Image, NoneType, bytes, IOBase)
"""What is one entry of a batch, besides arrays."""


@dataclass(frozen=True, kw_only=True)
class ImageBatch:
    """Images and what the user knows about each.

    Attributes:
        images: B images [3, H, W] float32 in [0, 1], RGB.
        masks: For each image [H, W] bool or None; or None.
        lines: For each image segments in place of detected ones, or None; or None.
    """

    images: Sequence[Tensor]
    masks: Sequence[Tensor | None] | None = None
    lines: Sequence[Lines | None] | None = None

    def take(self, index: int) -> "ImageBatch":
        """Return a batch of one image."""
        one = slice(index, index + 1)
        return ImageBatch(
            images=self.images[one],
            masks=None if self.masks is None else self.masks[one],
            lines=None if self.lines is None else self.lines[one],
        )

    def followed_by(self, other: "ImageBatch") -> "ImageBatch":
        """Return a batch of these images and, after them, those of another."""
        sides = (self, other)
        return ImageBatch(
            images=[image for side in sides for image in side.images],
            masks=[
                mask
                for side in sides
                for mask in one_per_image(side.masks, side.images, name="masks")
            ],
            lines=[
                own
                for side in sides
                for own in one_per_image(side.lines, side.images, name="lines")
            ],
        )


def one_per_image(values: Sequence | None, images: Sequence, *, name: str) -> Sequence:
    """Return the values that go with a batch of images, None for each where there are none.

    Args:
        values: One entry per image, or None.
        images: The images.
        name: What the values are, for the error message.

    Raises:
        ValueError: If there is another number of values.
    """
    if values is None:
        return [None] * len(images)
    if len(values) != len(images):
        raise ValueError(
            f"{name} need one entry per image, {len(images)}, found {len(values)}: "
            "use None for images without"
        )
    return values


def as_image_batch(
    images: OneOrMoreImages,
    *,
    masks: OneOrMoreMasks | None = None,
    lines: OneOrMoreLines | None = None,
) -> ImageBatch:
    """Return images, masks and segments in the form that the steps pass on.

    Args:
        images: One image, or a sequence or a generator of B images, which may differ in size, in
            any form that :func:`gluestick.images.load.as_image` takes; or a tensor [B, 3, H, W].
        masks: For each image a mask in any form that :func:`gluestick.images.load.as_mask`
            takes, such as [H, W], or None.
        lines: For each image an array [L, 2, 2] or [L, 4] px, or None.

    Raises:
        ValueError: If an image, a mask or an array of segments is none.
    """
    return ImageBatch(
        images=[as_image(image) for image in _as_list(images)],
        masks=None if masks is None else [_as_mask(mask) for mask in _as_list(masks)],
        lines=None if lines is None else [_as_lines(own) for own in _as_list(lines)],
    )


def _as_list(values: OneOrMoreImages | OneOrMoreMasks | OneOrMoreLines) -> list:
    """Return the entries of a batch, or the only one in a list."""
    if isinstance(values, Array):
        return [values] if values.ndim < 4 else list(values)
    if isinstance(values, _ONE_ENTRY) or not isinstance(values, Iterable):
        return [values]
    return list(values)


def _as_mask(mask: ImageLike | None) -> Tensor | None:
    return None if mask is None else as_mask(mask)


def _as_lines(lines: Lines | LineArray | None) -> Lines | None:
    return lines if lines is None or isinstance(lines, Lines) else check_lines(lines)
