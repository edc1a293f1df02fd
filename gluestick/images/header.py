"""What the header of an image file says, without decoding its pixels."""

from dataclasses import dataclass
from os import PathLike

from PIL import Image

from gluestick.images.decode import is_pipe_or_device

_ORIENTATION, _EXIF = 0x0112, 0x8769
_FOCAL_LENGTH, _FOCAL_LENGTH_35MM = 0x920A, 0xA405
_PLANE_X_RESOLUTION, _PLANE_UNIT, _STORED_WIDTH = 0xA20E, 0xA210, 0xA002
_MM_PER_UNIT = {2: 25.4, 3: 10.0, 4: 1.0, 5: 1e-3}
_DIAGONAL_35MM = 43.2666
"""The diagonal of 36 mm x 24 mm, to which equivalent focal lengths refer (CIPA DCG-001)."""


@dataclass(frozen=True, kw_only=True)
class ImageHeader:
    """Size and focal length of an image file.

    Attributes:
        image_size: (width, height) px, upright.
        focal_length: In px, from EXIF; None where it says nothing usable.
    """

    image_size: tuple[int, int]
    focal_length: float | None


def read_header(path: str | PathLike[str]) -> ImageHeader | None:
    """Read the header of an image file.

    The focal length is that of the stored size: the equivalent for 35 mm film by the diagonal,
    or else the focal length in mm by the resolution of the sensor where the image has the size
    that the camera wrote.

    Args:
        path: A file in any format that Pillow reads.

    Returns:
        The header, or None where it cannot be read; decoding the file says why.
    """
    if is_pipe_or_device(path):
        return None
    try:
        with Image.open(path) as image:
            width, height = image.size
            exif = image.getexif()
            details = exif.get_ifd(_EXIF)
            turned = exif.get(_ORIENTATION, 1) in (5, 6, 7, 8)
    except Exception:  # whatever Pillow raises for damaged files
        return None
    focal_length = _focal_length(details, (width, height))
    size = (height, width) if turned else (width, height)
    return ImageHeader(image_size=size, focal_length=focal_length)


def _focal_length(details: dict, image_size: tuple[int, int]) -> float | None:
    width, height = image_size
    equivalent = _number(details.get(_FOCAL_LENGTH_35MM))
    if equivalent:
        return equivalent * (width**2 + height**2) ** 0.5 / _DIAGONAL_35MM
    length, resolution = (_number(details.get(tag)) for tag in (_FOCAL_LENGTH, _PLANE_X_RESOLUTION))
    unit = _MM_PER_UNIT.get(details.get(_PLANE_UNIT, 2))
    if length and resolution and unit and details.get(_STORED_WIDTH) == width:
        return length * resolution / unit
    return None


def _number(value: object) -> float | None:
    """Return a positive finite number, or None."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if 0 < number < float("inf") else None
