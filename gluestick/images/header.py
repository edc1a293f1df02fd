"""What the header of an image file says, without decoding its pixels."""

from dataclasses import dataclass
from os import PathLike

from PIL import Image

from gluestick.images.decode import is_pipe_or_device

_ORIENTATION, _EXIF, _GPS = 0x0112, 0x8769, 0x8825
_FOCAL_LENGTH, _FOCAL_LENGTH_35MM = 0x920A, 0xA405
_PLANE_X_RESOLUTION, _PLANE_UNIT, _STORED_WIDTH = 0xA20E, 0xA210, 0xA002
_MM_PER_UNIT = {2: 25.4, 3: 10.0, 4: 1.0, 5: 1e-3}
_LATITUDE, _LONGITUDE, _ALTITUDE, _BELOW_SEA = 2, 4, 6, 5
_DIAGONAL_35MM = 43.2666
"""The diagonal of 36 mm x 24 mm, to which equivalent focal lengths refer (CIPA DCG-001)."""


@dataclass(frozen=True, kw_only=True)
class ImageHeader:
    """Size, focal length and place of an image file.

    Attributes:
        image_size: (width, height) px, upright.
        focal_length: In px, from EXIF; None where it says nothing usable.
        position: Where the camera was by GPS: latitude and longitude in degrees, north and east
            positive, and metres above the sea, 0 where EXIF does not say; None without GPS.
    """

    image_size: tuple[int, int]
    focal_length: float | None
    position: tuple[float, float, float] | None = None


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
            details, gps = exif.get_ifd(_EXIF), exif.get_ifd(_GPS)
            turned = exif.get(_ORIENTATION, 1) in (5, 6, 7, 8)
    except Exception:  # whatever Pillow raises for damaged files
        return None
    focal_length = _focal_length(details, (width, height))
    size = (height, width) if turned else (width, height)
    return ImageHeader(image_size=size, focal_length=focal_length, position=_position(gps))


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


def _position(gps: dict) -> tuple[float, float, float] | None:
    latitude = _angle(gps.get(_LATITUDE), gps.get(_LATITUDE - 1), "N", "S")
    longitude = _angle(gps.get(_LONGITUDE), gps.get(_LONGITUDE - 1), "E", "W")
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        return None
    altitude = _number(gps.get(_ALTITUDE)) or 0.0
    below = gps.get(_BELOW_SEA) in (1, b"\1")
    return latitude, longitude, -altitude if below else altitude


def _angle(parts: object, side: object, positive: str, negative: str) -> float | None:
    """Return degrees from degrees, minutes and seconds and the side, or None."""
    try:
        degrees, minutes, seconds = (float(part) for part in parts)  # type: ignore[attr-defined]
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    value = degrees + minutes / 60 + seconds / 3600
    sign = {positive: 1, negative: -1}.get(str(side).strip("\0 ").upper())
    return None if sign is None or not value < float("inf") else sign * value


def _number(value: object) -> float | None:
    """Return a positive finite number, or None."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if 0 < number < float("inf") else None
