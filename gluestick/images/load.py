"""Images and masks from files, Pillow images, arrays and tensors."""

import math
from os import PathLike
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gluestick.images.decode import read_oriented_pixels, read_pixels

MAX_PIXELS = 2**28
"""The largest image that is read unless the caller allows more: about 268 megapixels."""

ImageLike = str | PathLike[str] | Image.Image | np.ndarray | Tensor
"""What :func:`as_image` takes."""

_OVERSHOOT = 0.2
"""How far float values may lie outside [0, 1], as after a bicubic interpolation."""

_TYPE_ERROR = (
    "an image needs the type uint8, uint16, int16 or float, found {}: convert it, so that its "
    "full range is known"
)


def load_image(path: str | PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Tensor:
    """Read an image file as RGB.

    Grey, palette, CMYK and 16-bit images are converted; the orientation that a camera wrote
    into EXIF is applied; transparency is composited over white; of an animation the first
    frame is taken, and of a TIFF file the first page that is not a preview. Signed integers
    are moved to the unsigned range.

    Args:
        path: A file in any format that Pillow reads.
        max_pixels: The largest width times height. The header is checked before anything is
            decoded, which protects against decompression bombs.

    Returns:
        [3, H, W] float32 in [0, 1], RGB.

    Raises:
        ValueError: If the file is missing, empty, not an image, damaged, too large, or holds
            only a preview.
    """
    return load_oriented_image(path, max_pixels=max_pixels)[0]


def load_oriented_image(
    path: str | PathLike[str], *, max_pixels: int = MAX_PIXELS
) -> tuple[Tensor, int]:
    """Read an image file as RGB, and how its pixels are stored.

    Arguments and errors are those of :func:`load_image`.

    Returns:
        What :func:`load_image` returns, and the EXIF orientation that was undone: 1 to 8, where
        1 stands for none.
    """
    pixels, orientation = read_oriented_pixels(path, max_pixels=max_pixels)
    try:
        return as_image(pixels), orientation
    except ValueError as error:
        raise ValueError(f"the image {path} cannot be used: {error}") from error


def load_mask(path: str | PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Tensor:
    """Read a mask: pixels are allowed where any colour is non-zero and nothing is transparent.

    Use a lossless format such as PNG: JPEG turns exact zeros into small values.

    Args:
        path: An image file of the size of the image that it masks.
        max_pixels: As for :func:`load_image`.

    Returns:
        [H, W] bool.

    Raises:
        ValueError: As for :func:`load_image`.
    """
    pixels = read_pixels(path, max_pixels=max_pixels)
    if pixels.ndim == 3:
        allowed = pixels[..., :3].any(axis=2)
        if pixels.shape[2] == 4:
            allowed &= pixels[..., 3] > 0
    else:
        allowed = pixels > 0
    return torch.from_numpy(allowed)


def as_image(value: ImageLike) -> Tensor:
    """Convert what holds an image to the image that the detectors take.

    Args:
        value: The path of a file, a Pillow image, a numpy array [H, W], [H, W, 1], [H, W, 3] or
            [H, W, 4], or a tensor [H, W], [1, H, W], [3, H, W] or [4, H, W]; RGB with or
            without opacity, or grey; uint8, uint16 or int16 (their whole range is black to
            white), bool, or float in [0, 1]. What an interpolation overshoots, by up to 0.2, is
            clipped. Opacity is composited over white.

    Returns:
        [3, H, W] float32 in [0, 1], on the device of ``value``; it shares no memory with it
        and carries no gradient.

    Raises:
        ValueError: If the kind, the shape, the type or the range does not fit, a value is not
            finite, or a file cannot be read.
    """
    if isinstance(value, str | PathLike):
        return load_image(value)
    if isinstance(value, Image.Image):
        value = _pillow_pixels(value)
    if isinstance(value, Tensor):
        image = value.detach()
        image = image[None] if image.ndim == 2 else image
        fits = image.ndim == 3 and image.shape[0] in (1, 3, 4)
        needed = "a tensor needs the shape [H, W] or [1, 3 or 4, H, W]"
    elif isinstance(value, np.ndarray):
        fits = value.ndim == 2 or (value.ndim == 3 and value.shape[2] in (1, 3, 4))
        needed = "a numpy array needs the shape [H, W] or [H, W, 1, 3 or 4]"
        image = _to_tensor(value) if fits else torch.empty(0)
    else:
        raise ValueError(_kind_error(value))
    if not fits:
        raise ValueError(f"{needed}, found {list(value.shape)}: move or drop channels")
    if 0 in image.shape:
        raise ValueError(f"an image needs at least one pixel, found the shape {list(value.shape)}")
    unit = _to_unit_range(image)
    if len(unit) == 4:
        unit = unit[:3] * unit[3:] + (1 - unit[3:])
    return unit.expand(3, -1, -1).clone(memory_format=torch.contiguous_format)


def as_mask(value: ImageLike) -> Tensor:
    """Convert what holds a mask: what is not 0 may be used.

    Args:
        value: The path of a file (see :func:`load_mask`), a Pillow image, or an array or a tensor
            [H, W] of any type.

    Returns:
        [H, W] bool, on the device of ``value``.

    Raises:
        ValueError: If it is none of these, or a file cannot be read.
    """
    if isinstance(value, str | PathLike):
        return load_mask(value)
    if isinstance(value, Image.Image):
        value = np.asarray(value.convert("L"))
    if not isinstance(value, np.ndarray | Tensor) or value.ndim != 2:
        found = list(value.shape) if hasattr(value, "shape") else type(value).__name__
        raise ValueError(f"a mask needs the shape [H, W], or the path of an image, found {found}")
    return torch.as_tensor(value != 0)


def to_grayscale(image: Tensor) -> Tensor:
    """Return the luma of an image: 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601).

    Args:
        image: [3, H, W], RGB.

    Returns:
        [H, W], in the range of ``image``.
    """
    red, green, blue = image
    return 0.299 * red + 0.587 * green + 0.114 * blue


def _kind_error(value: Any) -> str:
    if value is None:
        return (
            "an image needs to be an array, a tensor, a Pillow image or a path, found None, which "
            "is what cv2.imread returns for a file that it cannot read: check the path"
        )
    return (
        "an image needs to be an array, a tensor, a Pillow image or a path, found "
        f"{type(value).__name__}"
    )


def _pillow_pixels(opened: Image.Image) -> np.ndarray:
    """Return the pixels of a Pillow image as it is: without applying an orientation."""
    if opened.mode in ("F", "I;16", "I;16L", "I;16B"):
        return np.asarray(opened)
    if opened.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in opened.info:
        return np.asarray(opened.convert("RGBA"))
    if opened.mode.startswith("I"):
        raise ValueError(_TYPE_ERROR.format("32-bit integers"))
    return np.asarray(opened.convert("L" if opened.mode in ("1", "L") else "RGB"))


def _to_tensor(array: np.ndarray) -> Tensor:
    """Convert [H, W] or [H, W, C] to a tensor [C, H, W] of native byte order."""
    if array.dtype.kind in "iuf":
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype == np.uint16:
        array = array.astype(np.float32) / 65535
    if array.dtype == np.int16:
        array = (array.astype(np.float32) + 32768) / 65535
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    if array.dtype not in (np.uint8, np.bool_) and array.dtype.kind != "f":
        raise ValueError(_TYPE_ERROR.format(array.dtype))
    tensor = torch.tensor(np.ascontiguousarray(array))
    return tensor[None] if tensor.ndim == 2 else tensor.permute(2, 0, 1)


def _to_unit_range(image: Tensor) -> Tensor:
    if image.dtype == torch.uint8:
        return image.to(torch.float32) / 255
    if image.dtype == torch.uint16:
        return image.to(torch.float32) / 65535
    if image.dtype == torch.int16:
        return (image.to(torch.float32) + 32768) / 65535
    if image.dtype == torch.bool:
        return image.to(torch.float32)
    if not image.is_floating_point():
        raise ValueError(_TYPE_ERROR.format(image.dtype))
    low, high = torch.stack(image.aminmax()).tolist()  # in one copy
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError("an image needs finite values, found NaN or infinity: replace them")
    if low < -_OVERSHOOT or high > 1 + _OVERSHOOT:
        raise ValueError(
            f"a float image needs values in [0, 1], found {low:g} to {high:g}: "
            "divide by the largest possible value, or pass uint8"
        )
    return image.to(torch.float32).clamp(0, 1)
