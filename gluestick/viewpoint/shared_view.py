"""In which views two images show the same things alike, once an affine map between them is known.

The image that shows less detail is enlarged to what both have in common. Where the other one is
also seen from another side, it is squeezed as the first one is, in the frame of that one, since
what a camera squeezed cannot be brought back.
"""

import cv2
import numpy as np

from gluestick.geometry.affine import apply, as_rows, compose, inverse, stretch
from gluestick.types import ViewFrame, Wireframe
from gluestick.viewpoint.attempts import Frames

_UPRIGHT_TILT = 1.5
"""Below this tilt the image with more detail is left as it is."""

_LEAST_COVERED = 0.5
"""The same, if both images have at least this share of it in common."""

MARGIN = 0.1
"""How much of its size is shown around what both have in common, on each side."""

LEAST_SIDE = 32
"""Views with a shorter side, px, show too little."""


def shared_frames(
    affine: np.ndarray, *, size0: tuple[int, int], size1: tuple[int, int]
) -> Frames | None:
    """Return the views in which both images show alike what they have in common.

    Args:
        affine: [2, 3], from px of image 0 to px of image 1.
        size0: (width, height) px of image 0.
        size1: (width, height) px of image 1.

    Returns:
        The views; None where the images have next to nothing in common.
    """
    if np.linalg.det(affine[:, :2]) > 1:
        return _frames(affine, coarse=size0, fine=size1)
    frames = _frames(inverse(affine), coarse=size1, fine=size0)
    return None if frames is None else (frames[1], frames[0])


def _frames(
    to_fine: np.ndarray, *, coarse: tuple[int, int], fine: tuple[int, int]
) -> Frames | None:
    """Return the views of the image with less detail and of that with more, by a map to it."""
    scale, tilt = stretch(to_fine)
    to_coarse = inverse(to_fine)
    if tilt < _UPRIGHT_TILT:
        area = _overlap(apply(to_fine, _corners(coarse)), _corners(fine))[2]
        if area >= _LEAST_COVERED * fine[0] * fine[1]:
            return ViewFrame(affine=as_rows(to_fine), size=fine), None
    low, high, _ = _overlap(_corners(coarse), apply(to_coarse, _corners(fine)))
    margin = MARGIN * (high - low)
    low, high = np.maximum(low - margin, -0.5), np.minimum(high + margin, np.array(coarse) - 0.5)
    width, height = (max(1, round(length)) for length in scale * (high - low))
    if min(width, height) < LEAST_SIDE:
        return None
    enlarging = np.array([[scale, 0, -scale * low[0] - 0.5], [0, scale, -scale * low[1] - 0.5]])
    return (
        ViewFrame(affine=as_rows(enlarging), size=(width, height)),
        ViewFrame(affine=as_rows(compose(enlarging, to_coarse)), size=(width, height)),
    )


def seen_affine(affine: np.ndarray, wireframe0: Wireframe, wireframe1: Wireframe) -> np.ndarray:
    """Return how an affine map between images acts between what detectors saw of them.

    Args:
        affine: [2, 3], from px of image 0 to px of image 1.
        wireframe0: The wireframe of image 0, of a batch of one.
        wireframe1: The wireframe of image 1.

    Returns:
        [2, 2], the linear part between both views.
    """
    seen0, seen1 = (
        _seen(wireframe.views[0], wireframe.scales[0]) for wireframe in (wireframe0, wireframe1)
    )
    return seen1 @ affine[:, :2] @ np.linalg.inv(seen0)


def _seen(view: ViewFrame | None, scale: float) -> np.ndarray:
    """Return the linear part [2, 2] of the map from an image to what a detector saw of it."""
    if view is None:
        return scale * np.eye(2)
    linear = view.central_affine[:, :2]
    return linear * (scale / stretch(linear).scale)


def _corners(size: tuple[int, int]) -> np.ndarray:
    width, height = size
    return np.array([[0, 0], [width, 0], [width, height], [0, height]]) - 0.5


def _overlap(quad0: np.ndarray, quad1: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the lowest and highest coordinates of what two convex quads share, and its area."""
    area, shared = cv2.intersectConvexConvex(quad0.astype(np.float32), quad1.astype(np.float32))
    if not area or shared is None:
        return np.zeros(2), np.zeros(2), 0.0
    shared = shared.reshape(-1, 2)
    return shared.min(axis=0), shared.max(axis=0), float(area)
