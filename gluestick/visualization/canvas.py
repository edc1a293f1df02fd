"""A picture on which one or two images lie side by side, with a legend below."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from gluestick.visualization.inputs import to_rgb

Color = tuple[int, int, int]
Glyph = Callable[["Canvas", np.ndarray, np.ndarray], None]
"""Draws a sample of a style: canvas, the picture to draw on, the sample's centre [2] px."""

BACKGROUND: Color = (24, 26, 30)
FAINT: Color = (200, 205, 215)
TEXT: Color = (232, 234, 238)

_SHIFT = 4  # cv2 takes coordinates in sixteenths of a pixel
_MAX_ASPECT = 3.0  # images that are all wider than this lie one below the other
_BRIGHTNESS = 105.0  # what the mean of a dimmed image should be
_COLORFUL = 0.55  # how much of its colour a dimmed image keeps
_REFERENCE_WIDTH = 1200  # px; stroke widths and text are given for this width


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where an image lies on the canvas.

    Attributes:
        left: The first column.
        top: The first row.
        width: px on the canvas.
        height: px on the canvas.
        image_size: (width, height) px of the image itself.
    """

    left: int
    top: int
    width: int
    height: int
    image_size: tuple[int, int]

    def to_local(self, points: np.ndarray) -> np.ndarray:
        """Convert [..., 2] px of the image to px of its part of the canvas."""
        scale = np.array([self.width, self.height]) / np.array(self.image_size)
        return (points + 0.5) * scale - 0.5

    def to_canvas(self, points: np.ndarray) -> np.ndarray:
        """Convert [..., 2] px of the image to px of the canvas."""
        return self.to_local(points) + np.array([self.left, self.top])


class Canvas:
    """A picture with images on it, dimmed so that what is drawn stands out.

    Args:
        images: One or two images as :func:`~gluestick.visualization.inputs.to_rgb` takes them.
        width: The picture's width in px.

    Attributes:
        picture: [H, W, 3] uint8, RGB.
        placements: Where each image lies.
        unit: px of the canvas for a stroke width of 1.

    Raises:
        ValueError: If ``width`` is below 200, or an image cannot be used.
    """

    def __init__(self, images: Sequence[np.ndarray | Tensor], *, width: int) -> None:
        if width < 200:
            raise ValueError(f"a picture needs a width of at least 200 px, found {width}")
        colors = [to_rgb(image) for image in images]
        self.unit = width / _REFERENCE_WIDTH
        self.placements, height = _arrange([image.shape[1::-1] for image in colors], width)
        self.picture = np.full((height, width, 3), BACKGROUND, dtype=np.uint8)
        for place, image in zip(self.placements, colors, strict=True):
            self.part(place)[:] = _dimmed(image, (place.width, place.height))

    def part(self, place: Placement) -> np.ndarray:
        """Return the view of the picture that shows one image; drawing there is clipped."""
        rows = slice(place.top, place.top + place.height)
        return self.picture[rows, place.left : place.left + place.width]

    @contextmanager
    def layer(self, opacity: float) -> Iterator[None]:
        """Make everything drawn in the block transparent.

        Args:
            opacity: From 0, invisible, to 1.
        """
        below = self.picture.copy()
        yield
        cv2.addWeighted(self.picture, opacity, below, 1 - opacity, 0, dst=self.picture)

    def line(
        self, on: np.ndarray, start: np.ndarray, end: np.ndarray, color: Color, *, width: float
    ) -> None:
        """Draw a straight stroke on the picture or a part of it.

        Args:
            on: The picture or a part, [H, W, 3] uint8.
            start: [2] px of ``on``.
            end: [2] px of ``on``.
            color: RGB.
            width: The stroke's width for a picture of 1200 px.
        """
        thickness = max(1, round(width * self.unit))
        cv2.line(on, _fixed(start), _fixed(end), color, thickness, cv2.LINE_AA, _SHIFT)

    def dashes(
        self, on: np.ndarray, start: np.ndarray, end: np.ndarray, color: Color, *, width: float
    ) -> None:
        """Draw a dashed stroke; the arguments are those of :meth:`line`."""
        length = np.linalg.norm(end - start)
        count = int(np.clip(length / (9 * self.unit), 1, 500))
        ends = start + np.linspace(0, 1, 2 * count)[:, None] * (end - start)  # [2 count, 2]
        for first, last in zip(ends[::2], ends[1::2], strict=True):
            self.line(on, first, last, color, width=width)

    def dot(self, on: np.ndarray, center: np.ndarray, color: Color, *, radius: float) -> None:
        """Draw a filled circle.

        Args:
            on: The picture or a part, [H, W, 3] uint8.
            center: [2] px of ``on``.
            color: RGB.
            radius: px for a picture of 1200 px.
        """
        size = max(1.0, radius * self.unit)
        cv2.circle(on, _fixed(center), round(size * 2**_SHIFT), color, -1, cv2.LINE_AA, _SHIFT)

    def ring(self, on: np.ndarray, center: np.ndarray, color: Color, *, radius: float) -> None:
        """Draw a circle; the arguments are those of :meth:`dot`."""
        size, thickness = round(max(1.0, radius * self.unit) * 2**_SHIFT), max(1, round(self.unit))
        cv2.circle(on, _fixed(center), size, color, thickness, cv2.LINE_AA, _SHIFT)

    def add_names(self, names: Sequence[str]) -> None:
        """Write a name into the upper left corner of each image.

        Args:
            names: One text per image; what does not fit is left out in its middle.

        Raises:
            ValueError: If there is another number of names than of images.
        """
        if len(names) != len(self.placements):
            raise ValueError(f"{len(self.placements)} images need as many names, found {names}")
        font = ImageFont.load_default(max(9, round(15 * self.unit)))
        for place, name in zip(self.placements, names, strict=True):
            self._name(self.part(place), name.replace("\n", " "), font)

    def _name(
        self, on: np.ndarray, name: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont
    ) -> None:
        pad = max(3, round(5 * self.unit))
        text, keep = name, len(name)
        while keep > 1 and font.getlength(text) + 2 * pad > on.shape[1]:
            keep -= 1
            text = f"{name[: keep // 2]}…{name[len(name) - (keep - keep // 2) :]}"
        left, top, right, bottom = font.getbbox(text)
        on[: round(bottom - top) + 2 * pad, : round(right - left) + 2 * pad] //= 3
        picture = Image.fromarray(on)
        ImageDraw.Draw(picture).text((pad - left, pad - top), text, fill=TEXT, font=font)
        on[:] = np.asarray(picture)

    def add_legend(self, title: str, entries: Sequence[tuple[Glyph, str]]) -> None:
        """Append a strip with the counts and a sample of each style.

        Args:
            title: Text at the left.
            entries: Samples and their labels.
        """
        height = max(16, round(34 * self.unit))
        strip = np.full((height, self.picture.shape[1], 3), BACKGROUND, dtype=np.uint8)
        x = self._text(strip, title, 10 * self.unit)
        for glyph, label in entries:
            glyph(self, strip, np.array([x + 38 * self.unit, height / 2]))
            x = self._text(strip, label, x + 64 * self.unit)
        self.picture = np.concatenate([self.picture, strip])

    def _text(self, on: np.ndarray, text: str, x: float) -> float:
        scale, thickness = 0.52 * self.unit, max(1, round(self.unit))
        font = cv2.FONT_HERSHEY_SIMPLEX
        (width, height), _ = cv2.getTextSize(text, font, scale, thickness)
        corner = (round(x), round((on.shape[0] + height) / 2))
        cv2.putText(on, text, corner, font, scale, TEXT, thickness, cv2.LINE_AA)
        return x + width


def _arrange(sizes: Sequence[tuple[int, int]], canvas_width: int) -> tuple[list[Placement], int]:
    """Return where the images lie, and the height they need."""
    gap = max(2, round(canvas_width / 200))
    below = all(width > _MAX_ASPECT * height for width, height in sizes)
    columns = 1 if below else len(sizes)
    cell_width = (canvas_width - gap * (columns - 1)) // columns
    cell_height = round(1.25 * cell_width)
    shown = []
    for width, height in sizes:
        scale = min(cell_width / width, cell_height / height)
        shown.append((max(1, round(width * scale)), max(1, round(height * scale))))
    left = (canvas_width - sum(width for width, _ in shown) - gap * (len(sizes) - 1)) // 2
    top = 0
    placements = []
    for (width, height), size in zip(shown, sizes, strict=True):
        column = (canvas_width - width) // 2 if below else left
        placements.append(
            Placement(left=column, top=top, width=width, height=height, image_size=size)
        )
        if below:
            top += height + gap
        else:
            left += width + gap
    return placements, max(place.top + place.height for place in placements)


def _dimmed(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    shrinks = size[0] * size[1] < image.shape[0] * image.shape[1]
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    gray = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    brightness = float(np.clip(_BRIGHTNESS / max(float(gray.mean()), 1.0), 0.6, 1.1))
    return cv2.addWeighted(image, _COLORFUL * brightness, gray, (1 - _COLORFUL) * brightness, 0)


def _fixed(point: np.ndarray) -> tuple[int, int]:
    x, y = np.round(np.clip(point, -1e5, 1e5) * 2**_SHIFT).astype(int)
    return int(x), int(y)
