"""Images whose calibration holds for the pixels in the file, whichever way up they are.

Cameras store the pixels as the sensor read them, and write into EXIF how the image is to be
turned. Calibrations, and lists of pairs, are for the stored pixels. A matcher does better on
upright images, so images are turned before they are matched, and what is found is mapped back.
"""

from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from gluestick.images.load import load_image
from gluestick.images.rotation import turn_image, turn_points_back, turned_size

_EXIF_ORIENTATION = 0x0112
_EXIF_TURNS = {1: 0, 3: 180, 6: 90, 8: 270}
"""Degrees clockwise that bring the stored pixels upright; the other orientations mirror."""


def exif_turn(path: Path) -> int:
    """Return how far EXIF says a stored image has to be turned.

    Args:
        path: The image; only its header is read.

    Returns:
        Degrees from the x towards the y axis (clockwise as seen): 0, 90, 180 or 270.

    Raises:
        ValueError: If the file is not an image, or EXIF says that it is mirrored.
    """
    try:
        with Image.open(path) as opened:
            orientation = opened.getexif().get(_EXIF_ORIENTATION, 1)
    except OSError as error:
        raise ValueError(f"the image {path} cannot be read: {error}") from error
    if orientation not in range(1, 9):
        return 0
    if orientation not in _EXIF_TURNS:
        raise ValueError(f"{path} is stored mirrored (EXIF orientation {orientation}): save it new")
    return _EXIF_TURNS[orientation]


def upright_turn(path: Path, *, quarters: int) -> int:
    """Return how far a stored image is turned before it is matched.

    Args:
        path: The image.
        quarters: What a list of pairs says: turns by 90 degrees against the clock. Where it is
            0, which also stands for unknown, EXIF decides.

    Returns:
        Degrees from the x towards the y axis: 0, 90, 180 or 270.

    Raises:
        ValueError: As for :func:`exif_turn`.
    """
    return -90 * quarters % 360 if quarters else exif_turn(path)


def load_stored_image(path: Path, *, turn: int) -> Tensor:
    """Read the stored pixels of an image and turn them.

    Args:
        path: The image.
        turn: A multiple of 90 degrees from the x towards the y axis.

    Returns:
        [3, H, W] float32 in [0, 1].

    Raises:
        ValueError: If the image cannot be read, or EXIF says that it is mirrored.
    """
    return turn_image(load_image(path), angle=(turn - exif_turn(path)) % 360).contiguous()


def to_stored_pixels(
    points: np.ndarray, *, image_size: tuple[int, int], turn: int
) -> tuple[np.ndarray, tuple[int, int]]:
    """Map positions in a turned image back to the stored pixels.

    Args:
        points: [..., 2] px of the turned image.
        image_size: (width, height) px of the turned image.
        turn: As for :func:`load_stored_image`.

    Returns:
        [..., 2] px of the stored image, and its (width, height).
    """
    stored_size = turned_size(image_size, angle=-turn)
    return turn_points_back(points, image_size=stored_size, angle=turn), stored_size
