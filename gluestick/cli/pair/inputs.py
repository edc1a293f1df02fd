"""The images of a pair, and what the user knows about each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from gluestick.features.lines.given import load_lines
from gluestick.images.load import load_image, load_mask
from gluestick.types import Lines

_OUTSIDE_TOLERANCE = 2.0  # px


@dataclass(frozen=True, kw_only=True)
class PairInputs:
    """What a pair is matched from.

    Attributes:
        images: Both images [3, H, W].
        masks: For each image [H, W] bool, or None.
        lines: For each image segments of the user's own, or None.
    """

    images: tuple[Tensor, Tensor]
    masks: tuple[Tensor | None, Tensor | None]
    lines: tuple[Lines | None, Lines | None]

    def options(self) -> dict[str, Any]:
        """Return what a matcher is told about the images."""
        return {
            "mask0": self.masks[0],
            "mask1": self.masks[1],
            "lines0": self.lines[0],
            "lines1": self.lines[1],
        }


def load_inputs(
    images: Sequence[Path], masks: Sequence[Path | None], lines: Sequence[Path | None]
) -> PairInputs:
    """Read the files of a pair.

    Args:
        images: The two images.
        masks: For each image the file of a mask, or None.
        lines: For each image the file of its segments, or None.

    Raises:
        ValueError: If a file cannot be read or does not fit its image; the message names the
            option, the file and both sizes.
    """
    pixels = [load_image(path) for path in images]
    found_masks = [
        None if path is None else _mask(path, f"--mask{side}", images[side], pixels[side])
        for side, path in enumerate(masks)
    ]
    found_lines = [
        None if path is None else _lines(path, f"--lines{side}", images[side], pixels[side])
        for side, path in enumerate(lines)
    ]
    return PairInputs(
        images=(pixels[0], pixels[1]),
        masks=(found_masks[0], found_masks[1]),
        lines=(found_lines[0], found_lines[1]),
    )


def check_mask(mask: Tensor, option: str, path: Path, image_path: Path, image: Tensor) -> None:
    """Raise a ValueError with both sizes where a mask [H, W] has not the size of its image."""
    if mask.shape != image.shape[1:]:
        raise ValueError(
            f"{option} {path} is {_size(mask)} px and its image {image_path} {_size(image)} px: "
            "a mask needs the size of its image"
        )


def _mask(path: Path, option: str, image_path: Path, image: Tensor) -> Tensor:
    try:
        mask = load_mask(path)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from error
    check_mask(mask, option, path, image_path, image)
    return mask


def _lines(path: Path, option: str, image_path: Path, image: Tensor) -> Lines:
    try:
        lines = load_lines(path)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from error
    ends = lines.lines.reshape(-1, 2)
    height, width = image.shape[1:]
    if len(ends):
        (left, top), (right, bottom) = ends.amin(dim=0).tolist(), ends.amax(dim=0).tolist()
        outside = max(-left, -top, right - (width - 1), bottom - (height - 1))
        if outside > _OUTSIDE_TOLERANCE:
            raise ValueError(
                f"{option} {path} reaches from ({left:g}, {top:g}) to ({right:g}, {bottom:g}) px, "
                f"and its image {image_path} is {_size(image)} px: give (x, y) in pixels of the "
                "original image, and clip what leaves it"
            )
    return lines


def _size(values: Tensor) -> str:
    height, width = values.shape[-2:]
    return f"{width} x {height}"
