"""From the bytes of an image file to its pixels, upright, with what the file says of them."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

_EXIF_ORIENTATION = 0x0112
_SUBFILE, _OLD_SUBFILE = 254, 255
_BITS, _PHOTOMETRIC, _EXTRA_SAMPLES, _SAMPLE_FORMAT = 258, 262, 338, 339
_WIDTH, _HEIGHT, _DNG_VERSION = 256, 257, 50706
_WHITE_IS_ZERO, _SEPARATED, _SIGNED = 0, 5, 2
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_process_wide_settings = Lock()


class UnreadableImageError(ValueError):
    """A file that is intact but holds nothing that can be shown as one image."""


def read_pixels(path: str | PathLike[str], *, max_pixels: int) -> np.ndarray:
    """Decode an image file: the pixels of :func:`read_oriented_pixels`."""
    return read_oriented_pixels(path, max_pixels=max_pixels)[0]


def read_oriented_pixels(path: str | PathLike[str], *, max_pixels: int) -> tuple[np.ndarray, int]:
    """Decode an image file.

    Args:
        path: The file.
        max_pixels: The largest width times height, checked before anything is decoded.

    Returns:
        [H, W], [H, W, 3] or [H, W, 4] with RGB and opacity: uint8, uint16 or float, upright.
        Signed integers are moved to the unsigned range, so that their lowest value becomes 0.
        And the EXIF orientation that was undone, 1 to 8, where 1 stands for none.

    Raises:
        ValueError: If the file is missing, empty, not an image, damaged or too large.
    """
    content = _read(path)
    try:
        with no_pillow_limit():
            opened = Image.open(io.BytesIO(content))
    except Exception as error:
        if not content.startswith(_TIFF_STARTS):
            raise ValueError(
                f"{path} is not an image in a format that Pillow reads: convert it to PNG or JPEG"
            ) from error
        opened = None
    try:
        if opened is not None and opened.format == "TIFF":
            _seek_full_page(opened)
        tags = _tags(opened, content)
        size = opened.size if opened is not None else (tags.get(_WIDTH, 0), tags.get(_HEIGHT, 0))
        _check_size(path, size, max_pixels=max_pixels)
        pixels = _decode(opened, content, tags)
        orientation = (
            opened.getexif().get(_EXIF_ORIENTATION, 1)
            if opened is not None
            else tags.get(_EXIF_ORIENTATION, 1)
        )
    except UnreadableImageError as error:
        raise ValueError(f"the image {path} {error}") from error
    except Exception as error:
        raise ValueError(
            f"the image {path} is damaged or truncated ({error}): fetch or export it again"
        ) from error
    orientation = orientation if orientation in range(1, 9) else 1
    return np.ascontiguousarray(upright(pixels, orientation)), orientation


def _read(path: str | PathLike[str]) -> bytes:
    if is_pipe_or_device(path):
        raise ValueError(f"the image {path} is a pipe or a device: save the image to a file")
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise ValueError(f"the image {path} does not exist: check the path") from error
    except OSError as error:
        raise ValueError(f"the image {path} cannot be read: {error.strerror or error}") from error
    if not content:
        raise ValueError(f"the image {path} is an empty file: fetch or export it again")
    return content


def is_pipe_or_device(path: str | PathLike[str]) -> bool:
    """Return whether reading a path may wait for ever, or never end."""
    return Path(path).exists() and not Path(path).is_file() and not Path(path).is_dir()


def _check_size(path: str | PathLike[str], size: tuple[int, int], *, max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise UnreadableImageError(
            f"has {width} x {height} pixels, more than the limit of {max_pixels}: shrink it, or "
            "raise max_pixels"
        )


def _seek_full_page(opened: Image.Image) -> None:
    """Go to the first page of a TIFF file that is not a reduced copy of another."""
    for page in range(getattr(opened, "n_frames", 1)):
        opened.seek(page)
        if not _is_reduced(opened.tag_v2):  # type: ignore[attr-defined]
            return
    raise UnreadableImageError(
        "holds only a preview that can be read, as raw files of cameras do: develop it to TIFF, "
        "PNG or JPEG"
    )


def _is_reduced(tags: ImageFileDirectory_v2) -> bool:
    return bool(tags.get(_SUBFILE, 0) & 1) or tags.get(_OLD_SUBFILE) == 2


def _tags(opened: Image.Image | None, content: bytes) -> ImageFileDirectory_v2 | dict:
    """Return the tags of the page of a TIFF file, and none of other files."""
    if opened is not None:
        return getattr(opened, "tag_v2", {})
    tags = ImageFileDirectory_v2(content[:8])
    stream = io.BytesIO(content)
    stream.seek(tags.next)
    tags.load(stream)
    return tags


def _decode(
    opened: Image.Image | None, content: bytes, tags: ImageFileDirectory_v2 | dict
) -> np.ndarray:
    page = 0
    if opened is not None:
        page = opened.tell()
        deep = any(";16" in str(tile) for tile in getattr(opened, "tile", ()))
        _load(opened, tags)
        if not deep and not _is_signed(tags):
            return _from_pillow(opened)
    # Pillow keeps only the upper byte of 16-bit colours, and does not know signed ones.
    pixels = _from_opencv(content, page)
    if pixels is None:
        if opened is None:
            raise UnreadableImageError(
                "has a kind of TIFF pixels that cannot be read: convert it to 8 or 16 bits per "
                "channel, grey or RGB"
            )
        return _from_pillow(opened)
    return _as_described(pixels, tags)


def _load(opened: Image.Image, tags: ImageFileDirectory_v2 | dict) -> None:
    try:
        opened.load()
    except Exception as error:
        if _DNG_VERSION in tags:
            raise UnreadableImageError(
                "is a raw file of a camera: develop it to TIFF, PNG or JPEG"
            ) from error
        raise


def _is_signed(tags: ImageFileDirectory_v2 | dict) -> bool:
    return _SIGNED in _as_tuple(tags.get(_SAMPLE_FORMAT, 1)) and max(
        _as_tuple(tags.get(_BITS, 8))
    ) in (8, 16)


def _as_tuple(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,)


def _from_opencv(content: bytes, page: int) -> np.ndarray | None:
    """Decode a page to [H, W] or [H, W, C] in the order R, G, B, further channels."""
    buffer = np.frombuffer(content, np.uint8)
    with _quiet_opencv():
        if page == 0:
            pixels = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
        else:
            _, pages = cv2.imdecodemulti(buffer, cv2.IMREAD_UNCHANGED)
            pixels = pages[page] if page < len(pages) else None
    if pixels is None or pixels.dtype == np.uint8:
        return None
    return pixels if pixels.ndim == 2 else pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]


def _as_described(pixels: np.ndarray, tags: ImageFileDirectory_v2 | dict) -> np.ndarray:
    """Apply what the tags of a TIFF file say about its pixels."""
    if pixels.dtype.kind == "i" and pixels.dtype.itemsize <= 2:
        unsigned = np.dtype(f"u{pixels.dtype.itemsize}")
        pixels = pixels.view(unsigned) ^ np.array(1 << (8 * unsigned.itemsize - 1), unsigned)
    if pixels.dtype.kind not in "fu" or pixels.dtype.itemsize > 8 or pixels.dtype == np.uint32:
        raise UnreadableImageError("has 32-bit integers, which have no known full range: scale it")
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO and pixels.dtype.kind == "u":
        pixels = ~pixels
    if pixels.ndim == 3 and pixels.shape[2] == 4 and tags:
        extra = _as_tuple(tags.get(_EXTRA_SAMPLES, 0))
        if extra[-1] == 0:
            return pixels[..., :3]
        if extra[-1] == 1:
            return _divided_by_alpha(pixels)
    return pixels


def _divided_by_alpha(pixels: np.ndarray) -> np.ndarray:
    """Undo the multiplication of colours by their opacity."""
    whole = pixels.dtype.kind == "u"
    full = float(np.iinfo(pixels.dtype).max) if whole else 1.0
    alpha = pixels[..., 3:].astype(np.float64)
    blank = np.zeros((*alpha.shape[:2], 3))
    colours = np.divide(pixels[..., :3] * full, alpha, out=blank, where=alpha > 0).clip(0, full)
    if whole:
        colours = colours.round()
    return np.concatenate([colours.astype(pixels.dtype), pixels[..., 3:]], axis=-1)


def _from_pillow(opened: Image.Image) -> np.ndarray:
    mode = opened.mode
    if mode == "F":
        return np.asarray(opened, dtype=np.float32)
    if mode.startswith("I"):
        numbers = np.asarray(opened)
        if numbers.min() < 0 or numbers.max() > 65535:
            raise UnreadableImageError(
                "has 32-bit integers, which have no known full range: scale it"
            )
        return numbers.astype(np.uint16)
    if mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in opened.info:
        return np.asarray(opened.convert("RGBA"))
    return np.asarray(opened.convert("L" if mode in ("1", "L") else "RGB"))


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Undo an EXIF orientation: 5 to 8 also swap width and height.

    Args:
        pixels: [H, W, ...] as stored.
        orientation: 1 to 8.

    Returns:
        A view of them.
    """
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


@contextmanager
def no_pillow_limit() -> Iterator[None]:
    """Lift Pillow's process-wide limit while a header is read, since ours is checked instead."""
    with _process_wide_settings:
        limit = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


@contextmanager
def _quiet_opencv() -> Iterator[None]:
    """Keep OpenCV from printing what goes wrong, since an error says it."""
    with _process_wide_settings:
        level = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(0)
        try:
            yield
        finally:
            cv2.utils.logging.setLogLevel(level)
