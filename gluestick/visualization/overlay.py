"""Pictures by which a person checks what relates two images."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from torch import Tensor

from gluestick.geometry.points import to_homogeneous
from gluestick.visualization import keypoints as points_style
from gluestick.visualization.canvas import Canvas, Placement
from gluestick.visualization.colors import position_colors
from gluestick.visualization.inputs import to_coordinates, to_homography, to_inliers, to_rgb
from gluestick.visualization.layout import Link, arrange_photographs
from gluestick.visualization.panorama import draw_panorama
from gluestick.visualization.selection import spread_out

_MAX_SIDE = 1600  # px; larger images are blended smaller


def draw_blend(
    image0: np.ndarray | Tensor, image1: np.ndarray | Tensor, H_0to1: np.ndarray
) -> np.ndarray:
    """Draw two images in one picture, as the homography between them says.

    Args:
        image0: A tensor [3, H, W] in [0, 1], or an array [H, W, 3] or [H, W], RGB or grey.
        image1: The other image, of any size.
        H_0to1: [3, 3], from image 0 to image 1 in px.

    Returns:
        [H, W, 3] uint8, RGB, black where there is nothing.

    Raises:
        ValueError: If something does not fit, or neither a plane nor a sphere can show both.
    """
    H = to_homography("H_0to1", H_0to1)
    small, scales = zip(*map(_shrunk, (image0, image1)), strict=True)
    H_small = scales[1] @ H @ np.linalg.inv(scales[0])
    return draw_panorama(small, arrange_photographs(2, {(0, 1): Link(H_small, 1.0)}))


def draw_epipolar_lines(
    image0: np.ndarray | Tensor,
    image1: np.ndarray | Tensor,
    points0: Any,
    points1: Any,
    F_0to1: np.ndarray,
    *,
    inliers: Any = None,
    names: Sequence[str] | None = None,
    width: int = 1600,
) -> np.ndarray:
    """Draw some matched points, and for each the line in the other image on which it must lie.

    Args:
        image0: A tensor [3, H, W] in [0, 1], or an array [H, W, 3] or [H, W], RGB or grey.
        image1: The other image, of any size.
        points0: [S, 2] px of image 0, an array or a tensor.
        points1: [S, 2] px of image 1, in the same order.
        F_0to1: [3, 3], with (x1, 1)^T F (x0, 1) = 0 in px.
        inliers: [S] bool, the points that may be chosen; ``None`` for all.
        names: What is written into the corner of each image.
        width: The picture's width in px, at least 200.

    Returns:
        [H, W, 3] uint8, RGB, with a legend at the bottom.

    Raises:
        ValueError: If a shape or a type does not fit.
    """
    points = [to_coordinates("points0", points0), to_coordinates("points1", points1)]
    known = to_inliers("inliers", inliers, count=len(points[0]))
    usable = np.ones(len(points[0]), dtype=bool) if known is None else known
    canvas = Canvas([image0, image1], width=width)
    size0 = canvas.placements[0].image_size
    chosen = spread_out(points[0], usable, size0)
    shown = [values[chosen] for values in points]
    colors = position_colors(shown[0], size0)
    nothing = np.zeros(len(chosen), dtype=bool)
    lines = to_homogeneous(shown[1]) @ F_0to1, to_homogeneous(shown[0]) @ F_0to1.T
    for place, line, values in zip(canvas.placements, lines, shown, strict=True):
        _draw_lines(canvas, place, line, colors)
        points_style.draw_keypoints(canvas, place, values, colors, crosses=nothing)
    if names is not None:
        canvas.add_names(names)
    canvas.add_legend(
        f"{len(chosen)} of {int(usable.sum())} inliers, each with the line on which the other "
        "image says that it lies",
        [(points_style.keypoint_glyph, "inlier")],
    )
    return canvas.picture


def _shrunk(image: np.ndarray | Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture of at most 1600 px, and [3, 3] from px of the image to its px."""
    picture = to_rgb(image)
    height, width = picture.shape[:2]
    scale = min(1.0, _MAX_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    factors = np.array(size) / (width, height)
    resizing = np.diag([*factors, 1.0])
    resizing[:2, 2] = (factors - 1) / 2
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA), resizing


def _draw_lines(canvas: Canvas, place: Placement, lines: np.ndarray, colors: np.ndarray) -> None:
    """Draw [M, 3] lines with (x, 1) l = 0 in px of an image across it."""
    on = canvas.part(place)
    centre = (np.array(place.image_size) - 1) / 2
    reach = float(np.hypot(*place.image_size))
    for (a, b, c), (red, green, blue) in zip(lines, colors, strict=True):
        length = np.hypot(a, b)
        if length == 0:  # the point is the epipole
            continue
        normal = np.array([a, b]) / length
        middle = centre - (normal @ centre + c / length) * normal
        along = reach * np.array([-normal[1], normal[0]])
        start, stop = place.to_local(middle - along), place.to_local(middle + along)
        canvas.line(on, start, stop, (int(red), int(green), int(blue)), width=1)
