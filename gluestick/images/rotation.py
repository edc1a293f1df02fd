"""Turning images and masks, and mapping positions between an image and its turned copy.

Angles are in degrees, from the x towards the y axis: a turn by 90 is clockwise as seen. The copy
is as large as the turned image needs. Multiples of 90 degrees move pixels exactly; other angles
interpolate.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from gluestick.checks import ShapeError, check_shapes
from gluestick.geometry.points import Array
from gluestick.types import ViewFrame

_MARGIN = 2
"""How far, px, a pixel of a copy turned by no multiple of 90 degrees keeps from what is masked."""

_ROUNDING = 1e-6

_PIXELS_AT_ONCE = 2**22

_IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))

_QUARTERS = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))
"""Cosine and sine of the multiples of 90 degrees."""


def quarter_turns(angle: float) -> int | None:
    """Return how often an angle turns by 90 degrees: 0 to 3, or None for other angles.

    Args:
        angle: Degrees.

    Raises:
        ValueError: If the angle is not finite.
    """
    if not math.isfinite(angle):
        raise ValueError(f"a turn needs a finite angle in degrees, found {angle}")
    return None if angle % 90 else int(angle % 360) // 90


def turned_size(image_size: Sequence[int], *, angle: float) -> tuple[int, int]:
    """Return the size of the turned copy of an image.

    Args:
        image_size: (width, height) px.
        angle: Degrees from the x towards the y axis.

    Returns:
        (width, height) px of the smallest upright rectangle around the turned image.
    """
    width, height = (int(length) for length in image_size)
    quarters = quarter_turns(angle)
    if quarters is not None:
        return (height, width) if quarters % 2 else (width, height)
    cosine, sine = (abs(value) for value in _cosine_and_sine(angle))
    across, down = cosine * width + sine * height, sine * width + cosine * height
    return math.ceil(across - _ROUNDING), math.ceil(down - _ROUNDING)


def turned_frame(image_size: Sequence[int], *, angle: float) -> ViewFrame | None:
    """Return the frame of the turned copy of an image.

    Args:
        image_size: (width, height) px.
        angle: Degrees from the x towards the y axis.

    Returns:
        The frame, about whose centre the centre of the image is turned; None if the copy is the
        image itself.

    Raises:
        ValueError: If the angle is not finite.
    """
    quarters = quarter_turns(angle)
    if quarters == 0:
        return None
    cosine, sine = _cosine_and_sine(angle) if quarters is None else _QUARTERS[quarters]
    size = turned_size(image_size, angle=angle)
    x, y = ((length - 1) / 2 for length in image_size)
    to_x, to_y = ((length - 1) / 2 for length in size)
    affine = (
        (cosine, -sine, to_x - (cosine * x - sine * y)),
        (sine, cosine, to_y - (sine * x + cosine * y)),
    )
    return ViewFrame(affine=affine, size=size)


def turn_of_frame(frame: ViewFrame, image_size: Sequence[int]) -> float | None:
    """Return by how many degrees a frame turns an image, if that is all it does.

    Args:
        frame: The frame of a view of the image.
        image_size: (width, height) px of the image.

    Returns:
        The angle for which :func:`turned_frame` gives the frame up to rounding, else None.
    """
    if not frame.is_affine:
        return None
    (cosine, _, _), (sine, _, _) = frame.affine
    angle = math.degrees(math.atan2(sine, cosine))
    nearest = 90.0 * round(angle / 90)
    angle = nearest if abs(angle - nearest) < _ROUNDING else angle
    turned = turned_frame(image_size, angle=angle)
    if turned is None:
        turned = ViewFrame(affine=_IDENTITY, size=(int(image_size[0]), int(image_size[1])))
    entries = zip(sum(turned.affine, ()), sum(frame.affine, ()), strict=True)
    alike = all(math.isclose(one, other, abs_tol=_ROUNDING) for one, other in entries)
    return angle if alike and turned.size == frame.size else None


def turn_image(image: Tensor, *, angle: float) -> Tensor:
    """Turn an image.

    Args:
        image: [..., H, W], of floats unless the angle is a multiple of 90 degrees.
        angle: Degrees from the x towards the y axis.

    Returns:
        [..., H', W'], of the size that :func:`turned_size` returns. Multiples of 90 degrees
        reorder the pixels; other angles interpolate bilinearly, and what lies outside the image
        continues its border.

    Raises:
        ShapeError: If the image has less than two dimensions.
    """
    if image.ndim < 2:
        raise ShapeError(f"an image needs the shape [..., H, W], found {list(image.shape)}")
    quarters = quarter_turns(angle)
    if quarters is not None:
        return torch.rot90(image, -quarters, dims=(-2, -1))
    height, width = image.shape[-2:]
    new_width, new_height = turned_size((width, height), angle=angle)
    turned = image.new_empty(*image.shape[:-2], new_height, new_width)
    flat = image.reshape(1, -1, height, width)
    for rows in _strips(new_height, new_width):
        origins = _origins((width, height), angle=angle, rows=rows)  # [h, W', 2]
        grid = ((2 * origins + 1) / origins.new_tensor([width, height]) - 1).to(image)
        strip = F.grid_sample(
            flat, grid[None], mode="bilinear", padding_mode="border", align_corners=False
        )  # [1, C, h, W']
        turned[..., rows, :] = strip.reshape(*image.shape[:-2], *strip.shape[-2:])
    return turned


def turn_mask(mask: Tensor, *, angle: float) -> Tensor:
    """Turn a mask as :func:`turn_image` turns its image.

    Args:
        mask: [H, W] bool.
        angle: Degrees from the x towards the y axis.

    Returns:
        [H', W'] bool. Unless the angle is a multiple of 90 degrees, a pixel is allowed if the
        image allows all pixels within 2 px of its origin, so that what is found inside the
        result also lies inside the mask when it is mapped back, and away from the image's border.

    Raises:
        ShapeError: If the mask does not have the shape [H, W].
    """
    sizes = check_shapes("turn_mask", {"mask": mask}, {"mask": "H W"})
    quarters = quarter_turns(angle)
    if quarters is not None:
        return torch.rot90(mask, -quarters, dims=(-2, -1))
    forbidden = F.pad((~mask).float()[None], [_MARGIN] * 4, value=1.0)
    allowed = F.max_pool2d(forbidden, 2 * _MARGIN + 1, stride=1)[0] == 0  # [H, W]
    width, height = sizes["W"], sizes["H"]
    new_width, new_height = turned_size((width, height), angle=angle)
    turned = mask.new_empty(new_height, new_width)
    for rows in _strips(new_height, new_width):
        origins = _origins((width, height), angle=angle, rows=rows).round().long()
        x, y = origins.to(mask.device).unbind(-1)  # [h, W']
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        turned[rows] = inside & allowed[y.clamp(0, height - 1), x.clamp(0, width - 1)]
    return turned


def turn_points(points: Array, *, image_size: Sequence[int], angle: float) -> Array:
    """Map positions in an image to its turned copy.

    Args:
        points: [..., 2] px of the image.
        image_size: (width, height) px of the image.
        angle: Degrees from the x towards the y axis.

    Returns:
        [..., 2] px of the copy; by 90 degrees (x, y) -> (height - 1 - y, x).

    Raises:
        ShapeError: If the last dimension is not 2.
    """
    _check_points(points)
    frame = turned_frame(image_size, angle=angle)
    return points if frame is None else frame.from_original(points)


def turn_points_back(points: Array, *, image_size: Sequence[int], angle: float) -> Array:
    """Map positions in a turned copy back to the image.

    The inverse of :func:`turn_points`, with the same arguments and errors.

    Args:
        points: [..., 2] px of the copy.
        image_size: (width, height) px of the image, not of the copy.
        angle: Degrees by which the copy was turned.

    Returns:
        [..., 2] px of the image.
    """
    _check_points(points)
    copy_size = turned_size(image_size, angle=angle)
    if quarter_turns(angle) is not None:
        return turn_points(points, image_size=copy_size, angle=-angle)
    return _about_centres(points, copy_size, image_size, -angle)


def _strips(height: int, width: int) -> list[slice]:
    """Divide an image into strips of rows, so that what is computed of each fits in memory."""
    rows = max(1, _PIXELS_AT_ONCE // width)
    return [slice(start, min(start + rows, height)) for start in range(0, height, rows)]


def _origins(image_size: tuple[int, int], *, angle: float, rows: slice) -> Tensor:
    """Return where rows of the copy come from, [h, W', 2] float64 px of the image."""
    width, _ = turned_size(image_size, angle=angle)
    x, y = torch.meshgrid(
        torch.arange(width, dtype=torch.float64),
        torch.arange(rows.start, rows.stop, dtype=torch.float64),
        indexing="xy",
    )
    return turn_points_back(torch.stack([x, y], dim=-1), image_size=image_size, angle=angle)


def _about_centres(
    points: Array, from_size: Sequence[int], to_size: Sequence[int], angle: float
) -> Array:
    """Turn positions about the centre of one image, which becomes that of the other."""
    cosine, sine = _cosine_and_sine(angle)
    x = points[..., 0] - (from_size[0] - 1) / 2
    y = points[..., 1] - (from_size[1] - 1) / 2
    turned = (
        cosine * x - sine * y + (to_size[0] - 1) / 2,
        sine * x + cosine * y + (to_size[1] - 1) / 2,
    )
    return _stack(points, turned)


def _cosine_and_sine(angle: float) -> tuple[float, float]:
    return math.cos(math.radians(angle)), math.sin(math.radians(angle))


def _stack(points: Array, coordinates: tuple[Array, Array]) -> Array:
    if isinstance(points, Tensor):
        return torch.stack(coordinates, dim=-1)
    return np.stack(coordinates, axis=-1)


def _check_points(points: Array) -> None:
    if points.ndim == 0 or points.shape[-1] != 2:
        raise ShapeError(f"points need the shape [..., 2], found {list(points.shape)}")
