"""The marks that stand for keypoints."""

import numpy as np

from gluestick.visualization.canvas import FAINT, Canvas, Color, Placement

_EDGE: Color = (10, 10, 12)
_SAMPLE: Color = (255, 190, 60)
_SINGLE: Color = (80, 255, 120)


def draw_keypoints(
    canvas: Canvas, place: Placement, points: np.ndarray, colors: np.ndarray, *, crosses: np.ndarray
) -> None:
    """Draw keypoints as dots with a dark edge, or as thin crosses.

    Args:
        canvas: The canvas.
        place: The image on it.
        points: [N, 2] px of the image.
        colors: [N, 3] uint8, RGB.
        crosses: [N] bool, which of them are crosses.
    """
    on = canvas.part(place)
    local = place.to_local(points)
    for index in (*np.flatnonzero(crosses), *np.flatnonzero(~crosses)):
        color = _color(colors[index])
        if crosses[index]:
            _cross(canvas, on, local[index], color)
        else:
            _disc(canvas, on, local[index], color)


def draw_faint_keypoints(canvas: Canvas, place: Placement, points: np.ndarray) -> None:
    """Draw keypoints as small grey dots.

    Args:
        canvas: The canvas.
        place: The image on it.
        points: [N, 2] px of the image.
    """
    on = canvas.part(place)
    for point in place.to_local(points):
        canvas.dot(on, point, FAINT, radius=1.5)


def draw_small_keypoints(canvas: Canvas, place: Placement, points: np.ndarray) -> None:
    """Draw the keypoints of a single image, all alike.

    Args:
        canvas: The canvas.
        place: The image on it.
        points: [N, 2] px of the image.
    """
    on = canvas.part(place)
    for point in place.to_local(points):
        small_glyph(canvas, on, point)


def small_glyph(canvas: Canvas, on: np.ndarray, center: np.ndarray) -> None:
    """Draw a keypoint of a single image at [2] px of the picture ``on``."""
    canvas.dot(on, center, _EDGE, radius=2.6)
    canvas.dot(on, center, _SINGLE, radius=1.8)


def keypoint_glyph(canvas: Canvas, on: np.ndarray, center: np.ndarray) -> None:
    """Draw a sample of a matched keypoint at [2] px of the picture ``on``."""
    _disc(canvas, on, center, _SAMPLE)


def cross_glyph(canvas: Canvas, on: np.ndarray, center: np.ndarray) -> None:
    """Draw a sample of an outlier at [2] px of the picture ``on``."""
    _cross(canvas, on, center, _SAMPLE)


def faint_glyph(canvas: Canvas, on: np.ndarray, center: np.ndarray) -> None:
    """Draw a sample of an unmatched keypoint at [2] px of the picture ``on``."""
    canvas.dot(on, center, FAINT, radius=1.5)


def _disc(canvas: Canvas, on: np.ndarray, center: np.ndarray, color: Color) -> None:
    canvas.dot(on, center, _EDGE, radius=4.2)
    canvas.dot(on, center, color, radius=3.2)


def _cross(canvas: Canvas, on: np.ndarray, center: np.ndarray, color: Color) -> None:
    for direction in (np.array([1, 1]), np.array([1, -1])):
        arm = 3.5 * canvas.unit * direction
        canvas.line(on, center - arm, center + arm, color, width=1)


def _color(values: np.ndarray) -> Color:
    red, green, blue = (int(value) for value in values)
    return red, green, blue
