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


@dataclass(frozen=True, kw_only=True)
class ViewFrame:
    """The frame of a view of one image: any affine map, of which turns are the only ones so far.

    It is made of numbers, not of tensors: asking for it waits for no device, and its map has
    double precision on devices that have none.

    Attributes:
        affine: The map from px of the original image to px of the view.
        size: (width, height) px of the view.

    Raises:
        ValueError: If the map is not finite or cannot be inverted, or a side is below 1 px.
    """

    affine: AffineMap
    size: tuple[int, int]

    def __post_init__(self) -> None:
        (a, b, x), (c, d, y) = self.affine
        if not all(map(math.isfinite, (a, b, x, c, d, y))) or a * d == b * c:
            raise ValueError(f"a view needs a finite map with an inverse, found {self.affine}")
        if min(self.size) < 1:
            raise ValueError(f"a view needs a size of at least 1 px, found {self.size}")

    def from_original(self, points: Array) -> Array:
        """Map positions in the image to the view.

        Multiples of 90 degrees are exact: their map only exchanges and negates coordinates. Any
        other map is taken relative to what the centre of the view shows, to half a pixel, where
        single precision rounds least.

        Args:
            points: [..., 2] px of the original image.

        Returns:
            [..., 2] px of the view.
        """
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
        if isinstance(points, Tensor):
            return torch.stack(mapped, dim=-1)
        return np.stack(mapped, axis=-1)

    def _centre_in_original(self) -> tuple[float, float]:
        """Return where the image shows what the view shows at its centre, to half a pixel."""
        (a, b, x0), (c, d, y0) = self.affine
        x, y = (self.size[0] - 1) / 2 - x0, (self.size[1] - 1) / 2 - y0
        half_determinant = (a * d - b * c) / 2
        across, down = (d * x - b * y) / half_determinant, (a * y - c * x) / half_determinant
        return round(across) / 2, round(down) / 2


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
