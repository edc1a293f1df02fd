"""Images and masks under affine maps, without aliasing.

Where a map squeezes an image, what is finer than the result can show is smoothed away first: in
all directions by resizing, and along the direction that is still squeezed, by t, by a Gaussian of
standard deviation 0.8 sqrt(t^2 - 1), which simulates the tilt of a camera (Morel and Yu, "ASIFT",
SIAM J. Imaging Sciences 2009).
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from gluestick.checks import check_shapes
from gluestick.geometry.affine import compose, inverse, resizing
from gluestick.transfers import small_tensor

BORDER = 4.0
"""How far, px of the view, what is found keeps from what is masked and from the image's border:
as far as detectors look to place a keypoint or the end of a line."""

SMOOTHING = 0.8
"""The standard deviation of the Gaussian over sqrt(t^2 - 1), px of the image."""

REACH = 2.5
"""Where the Gaussian is cut off, in standard deviations."""

_NEXT_TO_NO_TILT = 1.05
_PIXELS_AT_ONCE = 2**20


def warp_image(image: Tensor, affine: np.ndarray, *, size: Sequence[int]) -> Tensor:
    """Warp an image.

    Args:
        image: [C, H, W] float32.
        affine: [2, 3], from px of the image to px of the result.
        size: (width, height) px of the result.

    Returns:
        [C, H', W'], interpolated bilinearly where the map squeezes and by bicubic splines,
        clipped to [0, 1], where it enlarges; what lies outside the image continues its border.

    Raises:
        ShapeError: If the image does not have the shape [C, H, W].
    """
    check_shapes("warp_image", {"image": image}, {"image": "C H W"})
    source, affine = _reduced(image, affine)
    _, (longest, shortest), directions = np.linalg.svd(affine[:, :2])
    offsets, weights = _taps(1 / shortest)
    mode = "bilinear" if longest <= 1 else "bicubic"
    back = inverse(affine)
    warped = image.new_empty(image.shape[0], size[1], size[0])
    step = directions[1] * 2 / np.array(source.shape[:0:-1])
    for rows in strips(size):
        strip = torch.zeros_like(warped[:, rows])
        centre = _sampling_grid(back, size[0], rows, source)[None]
        for offset, weight in zip(offsets, weights, strict=True):
            grid = centre + small_tensor((offset * step).tolist(), like=centre)
            strip += (
                weight
                * F.grid_sample(
                    source[None], grid, mode=mode, padding_mode="border", align_corners=False
                )[0]
            )
        warped[:, rows] = strip
    return warped.clamp_(0, 1) if mode == "bicubic" else warped


def warp_mask(
    mask: Tensor | None, affine: np.ndarray, *, size: Sequence[int], like: Tensor
) -> Tensor:
    """Warp a mask as :func:`warp_image` warps its image.

    Args:
        mask: [H, W] bool; None where the whole image is allowed.
        affine: [2, 3], from px of the image to px of the result.
        size: (width, height) px of the result.
        like: The image [C, H, W].

    Returns:
        [H', W'] bool, True where the image, and within it the mask, reaches for
        :data:`BORDER` px around, so that what is found there also lies inside both when it is
        mapped back.

    Raises:
        ShapeError: If the mask does not have the shape [H, W].
    """
    back = inverse(affine)
    reach = BORDER * np.linalg.norm(back[:, :2], axis=1)  # px of the image, in x and y
    height, width = like.shape[1:]
    if mask is not None:
        check_shapes("warp_mask", {"image": like, "mask": mask}, {"image": "C H W", "mask": "H W"})
        forbidden = (~mask.to(like.device, torch.bool)).float()[None]
        kx, ky = (math.ceil(length) for length in reach)
        mask = F.max_pool2d(forbidden, (2 * ky + 1, 2 * kx + 1), stride=1, padding=(ky, kx))[0] == 0
    warped = torch.empty(size[1], size[0], dtype=torch.bool, device=like.device)
    for rows in strips(size):
        x, y = _origins(back, size[0], rows, device=like.device).unbind(-1)
        inside = (x >= reach[0] - 0.5) & (x <= width - 0.5 - reach[0])
        inside &= (y >= reach[1] - 0.5) & (y <= height - 0.5 - reach[1])
        if mask is not None:
            column = x.round().long().clamp(0, width - 1)
            inside &= mask[y.round().long().clamp(0, height - 1), column]
        warped[rows] = inside
    return warped


def keep_away(forbidden: Tensor) -> Tensor:
    """Return where a mask [H, W] bool is False for :data:`BORDER` px around, [H, W] bool."""
    reach = math.ceil(BORDER)
    grown = F.max_pool2d(forbidden.float()[None], 2 * reach + 1, stride=1, padding=reach)
    return grown[0] == 0


def _reduced(image: Tensor, affine: np.ndarray) -> tuple[Tensor, np.ndarray]:
    """Resize an image that a map reduces in all directions, and return the map that remains."""
    longest = np.linalg.norm(affine[:, :2], ord=2)
    height, width = image.shape[1:]
    smaller = [max(1, math.ceil(length * longest)) for length in (width, height)]
    if longest >= 1 or smaller == [width, height]:
        return image, affine
    resized = F.interpolate(
        image[None], size=smaller[::-1], mode="bilinear", align_corners=False, antialias=True
    )[0]
    scale = resizing([smaller[0] / width, smaller[1] / height])
    return resized, compose(affine, inverse(scale))


def _taps(squeeze: float) -> tuple[np.ndarray, np.ndarray]:
    """Return where a Gaussian along the squeezed direction is sampled, and its weights.

    Args:
        squeeze: How many px of the source become one px of the view in that direction.
    """
    if squeeze < _NEXT_TO_NO_TILT:
        return np.zeros(1), np.ones(1)
    deviation = SMOOTHING * math.sqrt(squeeze**2 - 1)
    count = math.ceil(REACH * deviation)
    offsets = np.arange(-count, count + 1)
    weights = np.exp(-0.5 * (offsets / deviation) ** 2)
    return offsets, weights / weights.sum()


def strips(size: Sequence[int]) -> Iterator[slice]:
    """Divide a view into strips of rows, so that what is computed of each fits in memory."""
    rows = max(1, _PIXELS_AT_ONCE // size[0])
    return (slice(start, min(start + rows, size[1])) for start in range(0, size[1], rows))


def _origins(back: np.ndarray, width: int, rows: slice, *, device: torch.device) -> Tensor:
    """Return where rows of the view come from, [h, W', 2] float32 px of the source."""
    x, y = np.arange(width), np.arange(rows.start, rows.stop)[:, None]
    origins = np.stack([b[0] * x + b[1] * y + b[2] for b in back], axis=-1)
    return torch.from_numpy(origins.astype(np.float32)).to(device)


def _sampling_grid(back: np.ndarray, width: int, rows: slice, source: Tensor) -> Tensor:
    """Return the same in the coordinates of grid_sample."""
    height, source_width = source.shape[1:]
    scale = np.array([2 / source_width, 2 / height])
    moved = np.column_stack([back[:, :2], back[:, 2] + 0.5])
    return _origins(moved * scale[:, None] - [0, 0, 1], width, rows, device=source.device)
