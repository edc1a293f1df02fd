"""Calibrations that files of photographs bring along."""

from os import PathLike

import numpy as np

from gluestick.images.header import read_header
from gluestick.types import Camera


def exif_camera(path: str | PathLike[str]) -> Camera | None:
    """Return the calibration that EXIF tells, with the principal point in the middle.

    Args:
        path: A file in any format that Pillow reads.

    Returns:
        The camera without distortion, in px of the upright image; None where the file says no
        focal length or cannot be read.
    """
    header = read_header(path)
    if header is None or header.focal_length is None:
        return None
    width, height = header.image_size
    focal = header.focal_length
    return Camera(
        K=np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
    )
