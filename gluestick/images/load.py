"""Reading images and masks from files and arrays."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

MAX_PIXELS = 2**28
"""The largest image that is read unless the caller allows more: about 268 megapixels."""

_ROUNDING = 1e-3
"""How far float values may lie outside [0, 1], as after an interpolation."""

_EXIF_ORIENTATION = 0x0112

_TYPE_ERROR = "an image needs the type uint8, uint16 or float, found {}: convert it"

_pillow_limit = Lock()


def load_image(path: str | PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Tensor:
    """Read an image file as RGB.

    Grey, palette, CMYK and 16-bit images are converted; the orientation that a camera wrote
    into EXIF is applied; transparency is composited over white; of an animation the first
    frame is taken.

    Args:
        path: A file in any format that Pillow reads.
        max_pixels: The largest width times height. The header is checked before anything is
            decoded, which protects against decompression bombs.

    Returns:
        [3, H, W] float32 in [0, 1], RGB.

    Raises:
        ValueError: If the file is missing, empty, not an image, damaged or too large.
    """
    pixels = _read_pixels(path, max_pixels=max_pixels)
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        pixels = _over_white(pixels)
    return as_image(pixels)


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
    pixels = _read_pixels(path, max_pixels=max_pixels)
    if pixels.ndim == 3:
        allowed = pixels[..., :3].any(axis=2)
        if pixels.shape[2] == 4:
            allowed &= pixels[..., 3] > 0
    else:
        allowed = pixels > 0
    return torch.from_numpy(allowed)


def as_image(value: np.ndarray | Tensor) -> Tensor:
    """Convert an array to the image that the detectors take.

    Args:
        value: A numpy array [H, W] or [H, W, 3], or a tensor [1, H, W] or [3, H, W]; RGB or
            grey; uint8, uint16 (full range is 255 or 65535) or float in [0, 1].

    Returns:
        [3, H, W] float32 in [0, 1], on the device of ``value``.

    Raises:
        ValueError: If the shape, the type or the range does not fit, or a value is not finite.
    """
    if isinstance(value, Tensor):
        image = value
        fits = image.ndim == 3 and image.shape[0] in (1, 3)
        needed = "a tensor needs the shape [1 or 3, H, W]"
    elif isinstance(value, np.ndarray):
        fits = value.ndim == 2 or (value.ndim == 3 and value.shape[2] == 3)
        needed = "a numpy array needs the shape [H, W] or [H, W, 3]"
        image = _to_tensor(value) if fits else torch.empty(0)
    else:
        raise ValueError(
            f"an image needs to be a numpy array or a tensor, found {type(value).__name__}: "
            "read a file with load_image"
        )
    if not fits:
        raise ValueError(f"{needed}, found {list(value.shape)}: move or drop channels")
    if 0 in image.shape:
        raise ValueError(f"an image needs at least one pixel, found the shape {list(value.shape)}")
    return _to_unit_range(image).expand(3, -1, -1).contiguous()


def to_grayscale(image: Tensor) -> Tensor:
    """Return the luma of an image: 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601).

    Args:
        image: [3, H, W], RGB.

    Returns:
        [H, W], in the range of ``image``.
    """
    red, green, blue = image
    return 0.299 * red + 0.587 * green + 0.114 * blue


def _to_tensor(array: np.ndarray) -> Tensor:
    """Convert [H, W] or [H, W, C] to a tensor [C, H, W]."""
    if array.dtype == np.uint16:
        array = array.astype(np.float32) / 65535
    if array.dtype != np.uint8 and array.dtype.kind != "f":
        raise ValueError(_TYPE_ERROR.format(array.dtype))
    tensor = torch.tensor(np.ascontiguousarray(array))
    return tensor[None] if tensor.ndim == 2 else tensor.permute(2, 0, 1)


def _to_unit_range(image: Tensor) -> Tensor:
    if image.dtype == torch.uint8:
        return image.to(torch.float32) / 255
    if image.dtype == torch.uint16:
        return image.to(torch.float32) / 65535
    if not image.is_floating_point():
        raise ValueError(_TYPE_ERROR.format(image.dtype))
    low, high = image.aminmax()
    if not (torch.isfinite(low) and torch.isfinite(high)):
        raise ValueError("an image needs finite values, found NaN or infinity: replace them")
    if low < -_ROUNDING or high > 1 + _ROUNDING:
        raise ValueError(
            f"a float image needs values in [0, 1], found {float(low):g} to {float(high):g}: "
            "divide by the largest possible value, or pass uint8"
        )
    return image.to(torch.float32).clamp(0, 1)


def _read_pixels(path: str | PathLike[str], *, max_pixels: int) -> np.ndarray:
    """Decode a file to [H, W], [H, W, 3] or [H, W, 4]: uint8, uint16 or float32, upright."""
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise ValueError(f"the image {path} does not exist: check the path") from error
    except OSError as error:
        raise ValueError(f"the image {path} cannot be read: {error.strerror or error}") from error
    if not content:
        raise ValueError(f"the image {path} is an empty file: fetch or export it again")
    try:
        with _no_pillow_limit():
            opened = Image.open(io.BytesIO(content))
    except Exception as error:
        raise ValueError(
            f"{path} is not an image in a format that Pillow reads: convert it to PNG or JPEG"
        ) from error
    width, height = opened.size
    if width * height > max_pixels:
        raise ValueError(
            f"the image {path} has {width} x {height} pixels, more than the limit of "
            f"{max_pixels}: shrink it, or raise max_pixels"
        )
    try:
        pixels = _decode(opened, content)
        orientation = opened.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception as error:
        raise ValueError(
            f"the image {path} is damaged or truncated ({error}): fetch or export it again"
        ) from error
    return np.ascontiguousarray(_upright(pixels, orientation))


def _decode(opened: Image.Image, content: bytes) -> np.ndarray:
    sixteen_bit = any(";16" in str(tile) for tile in getattr(opened, "tile", ()))
    opened.load()
    if sixteen_bit:
        # Pillow keeps only the upper byte of 16-bit colours.
        deep = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
        if deep is not None and deep.dtype == np.uint16:
            return deep if deep.ndim == 2 else deep[..., [2, 1, 0, 3][: deep.shape[2]]]
    mode = opened.mode
    if mode == "F":
        return np.asarray(opened, dtype=np.float32)
    if mode.startswith("I"):
        numbers = np.asarray(opened)
        if numbers.min() < 0 or numbers.max() > 65535:
            raise ValueError("its 32-bit integers have no known full range")
        return numbers.astype(np.uint16)
    if mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in opened.info:
        return np.asarray(opened.convert("RGBA"))
    return np.asarray(opened.convert("L" if mode in ("1", "L") else "RGB"))


def _over_white(pixels: np.ndarray) -> np.ndarray:
    """Composite [H, W, 4] of integers over white, as float32 in [0, 1]."""
    unit = pixels.astype(np.float32) / np.iinfo(pixels.dtype).max
    colour, alpha = unit[..., :3], unit[..., 3:]
    return colour * alpha + (1 - alpha)


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Undo the EXIF orientation: 5 to 8 also swap width and height."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


@contextmanager
def _no_pillow_limit() -> Iterator[None]:
    """Lift Pillow's process-wide limit while a header is read, since ours is checked instead."""
    with _pillow_limit:
        limit = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit
