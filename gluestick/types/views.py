"""Where a view lies: how positions in an image become positions in the view, and its size.

A detector may see an image in a view that shows things as another image does. Whatever it finds
is kept in pixels of the image, and the frame says where that lies in the view.
"""

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from gluestick.checks import ShapeError

Array = TypeVar("Array", np.ndarray, Tensor)

AffineMap = tuple[tuple[float, float, float], tuple[float, float, float]]
"""The rows of a 2x3 matrix [A | t], which maps x to A x + t."""

Row = tuple[float, float, float]

_LAST_ROW: Row = (0.0, 0.0, 1.0)

_NEAREST_TO_HORIZON = 0.01
"""The least depth, relative to that at the centre of a view: positions nearer to the horizon, and
beyond it, are mapped as if they had this one."""


@dataclass(frozen=True, kw_only=True)
class ViewFrame:
    """The frame of a view of one image: an affine map, or a homography.

    It is made of numbers, not of tensors: asking for it waits for no device, and its map has
    double precision on devices that have none.

    Attributes:
        affine: The map from px of the original image to px of the view; of a homography [3, 3]
            the first two rows.
        size: (width, height) px of the view.
        perspective: The last row of the homography, positive where the centre of the view comes
            from; (0, 0, 1) for an affine map.

    Raises:
        ValueError: If the map is not finite or cannot be inverted, the centre of the view comes
            from beyond the horizon, or a side is below 1 px.
    """

    affine: AffineMap
    size: tuple[int, int]
    perspective: Row = _LAST_ROW

    def __post_init__(self) -> None:
        (a, b, x), (c, d, y) = self.affine
        finite = all(map(math.isfinite, (a, b, x, c, d, y, *self.perspective)))
        if not finite or (a * d == b * c if self.is_affine else np.linalg.det(self.matrix) == 0):
            raise ValueError(
                f"a view needs a finite map with an inverse, found {self.affine}"
                + ("" if self.is_affine else f" and {self.perspective}")
            )
        if min(self.size) < 1:
            raise ValueError(f"a view needs a size of at least 1 px, found {self.size}")
        if not self.is_affine and not self.matrix[2] @ (*self._centre_in_original(), 1) > 0:
            raise ValueError("a view needs a centre before the horizon, found one beyond it")

    @property
    def is_affine(self) -> bool:
        """Whether the map is affine."""
        return self.perspective == _LAST_ROW

    @property
    def matrix(self) -> np.ndarray:
        """The map as a homography [3, 3] float64."""
        return np.array([*self.affine, self.perspective])

    @property
    def central_affine(self) -> np.ndarray:
        """The affine map [2, 3] float64 that comes nearest to the map at the view's centre."""
        if self.is_affine:
            return np.array(self.affine)
        origin = np.array(self._centre_in_original())
        image_of_origin, linear, _ = _expand(self.matrix, origin)
        return np.column_stack([linear, image_of_origin - linear @ origin])

    def from_original(self, points: Array) -> Array:
        """Map positions in the image to the view.

        Multiples of 90 degrees are exact: their map only exchanges and negates coordinates. Any
        other map is taken relative to what the centre of the view shows, to half a pixel, where
        single precision rounds least. Positions beyond the horizon of a homography are mapped as
        if they lay just before it, so that all are finite.

        Args:
            points: [..., 2] px of the original image.

        Returns:
            [..., 2] px of the view.
        """
        if not self.is_affine:
            return _map_about(np.array(self._centre_in_original()), self.matrix, points)
        (a, b, x0), (c, d, y0) = self.affine
        linear = a, b, c, d
        if all(abs(entry) in (0, 1) for entry in linear):
            origin, image_of_origin = (0.0, 0.0), (x0, y0)
        else:
            origin = self._centre_in_original()
            image_of_origin = (
                a * origin[0] + b * origin[1] + x0,
                c * origin[0] + d * origin[1] + y0,
            )
        x, y = points[..., 0] - origin[0], points[..., 1] - origin[1]
        mapped = a * x + b * y + image_of_origin[0], c * x + d * y + image_of_origin[1]
        return _stacked(*mapped)

    def to_original(self, points: Array) -> Array:
        """Map positions in the view back to the image.

        Args:
            points: [..., 2] px of the view, none on the image of the horizon.

        Returns:
            [..., 2] px of the original image.
        """
        centre = (self.size[0] - 1) / 2, (self.size[1] - 1) / 2
        return _map_about(np.array(centre), np.linalg.inv(self.matrix), points)

    def _centre_in_original(self) -> tuple[float, float]:
        """Return where the image shows what the view shows at its centre, to half a pixel."""
        if not self.is_affine:
            centre = (self.size[0] - 1) / 2, (self.size[1] - 1) / 2, 1.0
            x, y, scale = np.linalg.solve(self.matrix, centre).tolist()
            return round(2 * x / scale) / 2, round(2 * y / scale) / 2
        (a, b, x0), (c, d, y0) = self.affine
        x, y = (self.size[0] - 1) / 2 - x0, (self.size[1] - 1) / 2 - y0
        half_determinant = (a * d - b * c) / 2
        across, down = (d * x - b * y) / half_determinant, (a * y - c * x) / half_determinant
        return round(across) / 2, round(down) / 2


def _expand(H: np.ndarray, origin: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where H [3, 3] maps an origin [2], its derivative [2, 2] there, and its last row.

    The latter is divided by the depth of the origin, which must not be 0.
    """
    depth = H[2, :2] @ origin + H[2, 2]
    mapped = (H[:2, :2] @ origin + H[:2, 2]) / depth
    return mapped, (H[:2, :2] - np.outer(mapped, H[2, :2])) / depth, H[2, :2] / depth


def _map_about(origin: np.ndarray, H: np.ndarray, points: Array) -> Array:
    """Map points [..., 2] by H [3, 3], computed relative to an origin [2] and its image."""
    mapped, linear, slope = (values.tolist() for values in _expand(H, origin))
    (a, b), (c, d) = linear
    x, y = points[..., 0] - float(origin[0]), points[..., 1] - float(origin[1])
    depth = (1 + (slope[0] * x + slope[1] * y)).clip(min=_NEAREST_TO_HORIZON)
    return _stacked((a * x + b * y) / depth + mapped[0], (c * x + d * y) / depth + mapped[1])


def _stacked(x: Array, y: Array) -> Array:
    if isinstance(x, Tensor):
        return torch.stack((x, y), dim=-1)
    return np.stack((x, y), axis=-1)


Views = tuple[ViewFrame | None, ...]
"""For each image of a batch its view, None where the image is seen as it is."""

Scales = tuple[float, ...]
"""For each image of a batch the size in which features were found over that of the image."""


def one_view_per_image(views: Views, batch_size: int) -> Views:
    """Return views as they are, and None for each image where they were left out.

    Raises:
        ShapeError: If there is another number of views than of images.
    """
    views = views or (None,) * batch_size
    if len(views) != batch_size:
        raise ShapeError(f"views need one entry per image, {batch_size}, found {len(views)}")
    return views


def one_scale_per_image(scales: Scales, batch_size: int) -> Scales:
    """Return scales as they are, and 1 for each image where they were left out.

    Raises:
        ShapeError: If there is another number of scales than of images.
        ValueError: If a scale is not positive and finite.
    """
    scales = scales or (1.0,) * batch_size
    if len(scales) != batch_size:
        raise ShapeError(f"scales need one entry per image, {batch_size}, found {len(scales)}")
    for scale in scales:
        if not 0 < scale < math.inf:
            raise ValueError(f"scales need to be positive and finite, found {scale}")
    return scales
