"""Folders of photographs."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from gluestick.images.load import load_image

_FORMATS = (
    "jpg jpeg jpe jfif mpo png apng bmp dib tif tiff webp gif avif avifs "
    "jp2 j2k j2c jpc jpf jpx ppm pgm pbm pnm pfm tga icb vda vst pcx dcx "
    "sgi rgb rgba bw ras im msp xbm xpm qoi ico icns cur psd dds blp fit fits pxr pcd"
)

SUFFIXES = tuple(f".{suffix}" for suffix in _FORMATS.split())
"""How the names of image files end, in lower case: formats that Pillow decodes by itself."""


def list_photographs(folder: Path) -> list[str]:
    """Return the images in a folder and everything below it.

    Args:
        folder: The folder.

    Returns:
        Their paths relative to the folder, with ``/``, in alphabetical order.

    Raises:
        ValueError: If there is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}: name one with photographs")
    files = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    names = sorted(path.relative_to(folder).as_posix() for path in files if path.is_file())
    if not names:
        raise ValueError(f"{folder} needs photographs (.jpg, .png, .tif and others), found none")
    return names


def load_photograph(
    path: Path, *, image_size: tuple[int, int], max_detail: float = 1.0
) -> np.ndarray:
    """Read a photograph, cut it centrally to an aspect ratio and resize it.

    Args:
        path: The file.
        image_size: (width, height) px of the result.
        max_detail: The result may be up to so many times as large, where the photograph is.

    Returns:
        [height, width, 3] uint8, RGB.

    Raises:
        ValueError: If the file cannot be read.
    """
    image = load_image(path)
    width, height = image_size
    factor = min(image.shape[2] / width, image.shape[1] / height)
    crop_width, crop_height = round(width * factor), round(height * factor)
    left, top = (image.shape[2] - crop_width) // 2, (image.shape[1] - crop_height) // 2
    crop = image[:, top : top + crop_height, left : left + crop_width]
    detail = min(max(factor, 1.0), max_detail)
    size = round(height * detail), round(width * detail)
    resized = F.interpolate(
        crop[None], size=size, mode="bilinear", align_corners=False, antialias=True
    )[0]
    return (resized * 255).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
