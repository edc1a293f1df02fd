"""Image files as nobody expects them: odd, damaged, hostile or none at all."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

ORIENTATION = 0x0112


def photograph(assets: Path) -> Image.Image:
    with Image.open(assets / "leuven_a.jpg") as image:
        return image.convert("RGB").resize((160, 120))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def png_of(width: int, height: int, *, depth: int = 8, color: int = 2, data: bytes = b"") -> bytes:
    """Return a PNG whose header says what one likes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(data)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def opencv(array: np.ndarray, ending: str) -> bytes:
    return cv2.imencode(ending, array)[1].tobytes()


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


Make = Callable[[Image.Image], bytes]


def _pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image)


STRANGE: dict[str, Make] = {
    # damaged or none
    "empty.png": lambda image: b"",
    "one_byte.jpg": lambda image: b"\xff",
    "text.png": lambda image: "no image, äöü".encode(),
    "zeros.tif": lambda image: bytes(5000),
    "tiff_magic.tif": lambda image: b"II*\0" + b"\xff" * 200,
    "gif_magic.gif": lambda image: b"GIF89a" + bytes(20),
    "half.jpg": lambda image: encoded(image, "JPEG")[:2000],
    "half.png": lambda image: encoded(image, "PNG")[:3000],
    "half.webp": lambda image: encoded(image, "WEBP")[:500],
    "half.tif": lambda image: encoded(image, "TIFF")[:5000],
    "noise_inside.jpg": lambda image: encoded(image, "JPEG")[:800] + b"\x55" * 3000,
    "trailing.jpg": lambda image: encoded(image, "JPEG") + b"\x00garbage" * 99,
    "html.jpg": lambda image: b"<html><body>404</body></html>",
    "pdf.png": lambda image: b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n",
    "huge_header.png": lambda image: png_of(2**31 - 1, 2**31 - 1),
    "bomb.png": lambda image: png_of(60_000, 60_000),
    "no_size.png": lambda image: png_of(0, 0),
    "bad_depth.png": lambda image: png_of(8, 8, depth=3),
    "no_pixels.png": lambda image: png_of(64, 64),
    # odd but valid
    "jpeg_called.png": lambda image: encoded(image, "JPEG"),
    "no_ending": lambda image: encoded(image, "PNG"),
    "UPPER.JPG": lambda image: encoded(image, "JPEG"),
    "spaces and ümläuts.png": lambda image: encoded(image, "PNG"),
    "quote'\"#%.png": lambda image: encoded(image, "PNG"),
    "one_pixel.png": lambda image: encoded(image.resize((1, 1)), "PNG"),
    "row.png": lambda image: encoded(image.resize((500, 1)), "PNG"),
    "column.png": lambda image: encoded(image.resize((1, 500)), "PNG"),
    "wide.png": lambda image: encoded(image.resize((3000, 9)), "PNG"),
    "two_by_two.bmp": lambda image: encoded(image.resize((2, 2)), "BMP"),
    "black.png": lambda image: encoded(Image.new("RGB", (80, 60)), "PNG"),
    "white.png": lambda image: encoded(Image.new("RGB", (80, 60), "white"), "PNG"),
    "green.png": lambda image: encoded(Image.new("RGB", (80, 60), (0, 200, 0)), "PNG"),
    "random.png": lambda image: encoded(
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)), "PNG"
    ),
    "checkerboard.png": lambda image: encoded(
        Image.fromarray(np.kron(np.indices((8, 10)).sum(0) % 2, np.ones((8, 8))) > 0), "PNG"
    ),
    "bilevel.tif": lambda image: encoded(image.convert("1"), "TIFF", compression="group4"),
    "palette.gif": lambda image: encoded(image.quantize(7), "GIF"),
    "animated.gif": lambda image: encoded(
        image.quantize(9), "GIF", save_all=True, append_images=[image.quantize(5)]
    ),
    "pages.tif": lambda image: encoded(image, "TIFF", save_all=True, append_images=[image]),
    "cmyk.jpg": lambda image: encoded(image.convert("CMYK"), "JPEG"),
    "lab.tif": lambda image: encoded(image.convert("LAB"), "TIFF"),
    "ycbcr.jpg": lambda image: encoded(image.convert("YCbCr"), "JPEG"),
    "clear.png": lambda image: encoded(Image.new("RGBA", (80, 60), (9, 9, 9, 0)), "PNG"),
    "grey_alpha.png": lambda image: encoded(image.convert("LA"), "PNG"),
    "progressive.jpg": lambda image: encoded(image, "JPEG", progressive=True, quality=5),
    "sixteen.png": lambda image: opencv(_pixels(image).astype(np.uint16) * 200, ".png"),
    "dim_sixteen.png": lambda image: opencv(_pixels(image).astype(np.uint16), ".png"),
    "float.tif": lambda image: opencv(_pixels(image).astype(np.float32) / 255, ".tiff"),
    "float_far.tif": lambda image: opencv(_pixels(image).astype(np.float32) * 1e9, ".tiff"),
    "nan.tif": lambda image: opencv(np.full((60, 80, 3), np.nan, np.float32), ".tiff"),
    "double.tif": lambda image: opencv(_pixels(image).astype(np.float64) / 255, ".tiff"),
    "portable.ppm": lambda image: encoded(image, "PPM"),
    "icon.ico": lambda image: encoded(image.resize((32, 32)), "ICO"),
    "targa.tga": lambda image: encoded(image, "TGA"),
    "mirrored.jpg": lambda image: encoded(image, "JPEG", exif=_exif(5)),
    "no_orientation.jpg": lambda image: encoded(image, "JPEG", exif=_exif(77)),
    "bad_exif.jpg": lambda image: encoded(image, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"),
    "bad_profile.png": lambda image: encoded(image, "PNG", icc_profile=b"none"),
    "lossless.webp": lambda image: encoded(image, "WEBP", lossless=True),
}
"""How each file is made from a photograph, by its name."""


def write_strange(folder: Path, name: str, assets: Path) -> Path:
    path = folder / name
    path.write_bytes(STRANGE[name](photograph(assets)))
    return path
