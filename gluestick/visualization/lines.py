"""The strokes that stand for line segments."""

import numpy as np

from gluestick.visualization.canvas import FAINT, Canvas, Color, Placement

_EDGE: Color = (10, 10, 12)
_END: Color = (255, 255, 255)
_SAMPLE: Color = (255, 190, 60)


def draw_lines(
    canvas: Canvas, place: Placement, lines: np.ndarray, colors: np.ndarray, *, dashed: np.ndarray
) -> None:
    """Draw segments, solid with a dark edge or thin and dashed; the first end gets a ring.

    Args:
        canvas: The canvas.
        place: The image on it.
        lines: [L, 2, 2] px of the image.
        colors: [L, 3] uint8, RGB.
        dashed: [L] bool, which of them are dashed.
    """
    on = canvas.part(place)
    local = place.to_local(lines)
    for index in (*np.flatnonzero(dashed), *np.flatnonzero(~dashed)):
        red, green, blue = (int(value) for value in colors[index])
        draw = _dashed if dashed[index] else _solid
        draw(canvas, on, local[index], (red, green, blue))


def draw_faint_lines(canvas: Canvas, place: Placement, lines: np.ndarray) -> None:
    """Draw segments as thin grey strokes.

    Args:
        canvas: The canvas.
        place: The image on it.
        lines: [L, 2, 2] px of the image.
    """
    on = canvas.part(place)
    for start, end in place.to_local(lines):
        canvas.line(on, start, end, FAINT, width=1)


def line_glyph(canvas: Canvas, on: np.ndarray, center: np.ndarray) -> None:
    """Draw a sample of a matched line at [2] px of the picture ``on``."""
    _solid(canvas, on, _sample(canvas, center), _SAMPLE)


def dashed_glyph(canvas: Canvas, on: np.ndarray, center: np.ndarray) -> None:
    """Draw a sample of an outlier at [2] px of the picture ``on``."""
    _dashed(canvas, on, _sample(canvas, center), _SAMPLE)


def faint_glyph(canvas: Canvas, on: np.ndarray, center: np.ndarray) -> None:
    """Draw a sample of an unmatched line at [2] px of the picture ``on``."""
    start, end = _sample(canvas, center)
    canvas.line(on, start, end, FAINT, width=1)


def _solid(canvas: Canvas, on: np.ndarray, line: np.ndarray, color: Color) -> None:
    start, end = line
    canvas.line(on, start, end, _EDGE, width=4.2)
    canvas.line(on, start, end, color, width=2.3)
    canvas.dot(on, start, _EDGE, radius=4.2)
    canvas.dot(on, start, _END, radius=3.4)
    canvas.dot(on, start, color, radius=2.2)
    canvas.dot(on, end, _EDGE, radius=2.8)
    canvas.dot(on, end, _END, radius=2.0)


def _dashed(canvas: Canvas, on: np.ndarray, line: np.ndarray, color: Color) -> None:
    start, end = line
    canvas.dashes(on, start, end, color, width=1)
    canvas.ring(on, start, color, radius=3.2)
    canvas.dot(on, end, color, radius=1.8)


def _sample(canvas: Canvas, center: np.ndarray) -> np.ndarray:
    arm = np.array([15 * canvas.unit, 0])
    return np.stack([center - arm, center + arm])
