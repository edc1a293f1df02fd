"""Images and masks under homographies, without aliasing.

As :mod:`gluestick.images.warp` does it for affine maps, but a homography squeezes every pixel
otherwise: each is taken from the copy of the image, halved several times, that has about its
detail, and smoothed there along the direction in which it is still squeezed.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from gluestick.checks import check_shapes
from gluestick.images.warp import BORDER, REACH, SMOOTHING, keep_away, strips
from gluestick.types import ViewFrame

_MAX_HALVINGS = 5

_LARGEST_SQUEEZE = 32.0
"""What is squeezed more than this against the other direction is smoothed as if it were not."""


def warp_in_perspective(image: Tensor, frame: ViewFrame) -> Tensor:
    """Warp an image by a homography.

    Args:
        image: [C, H, W] float32.
        frame: The homography, from px of the image to px of the result, and its size.

    Returns:
        [C, H', W'], interpolated bilinearly; what lies outside the image continues its border.

    Raises:
        ShapeError: If the image does not have the shape [C, H, W].
    """
    check_shapes("warp_in_perspective", {"image": image}, {"image": "C H W"})
    copies = [image]
    warped = image.new_empty(image.shape[0], frame.size[1], frame.size[0])
    for rows in strips(frame.size):
        origins, derivatives = _origins(frame, rows)
        longest, shortest, directions = _squeezes(derivatives)
        levels = np.clip(np.round(np.log2(np.maximum(shortest, 1))), 0, _MAX_HALVINGS)
        strip = torch.empty_like(warped[:, rows])
        for level in np.unique(levels).astype(int):
            while len(copies) <= level:
                copies.append(_halved(copies[-1]))
            at_level = levels == level
            squeeze = np.clip(longest[at_level] / 2.0**level, 1, _LARGEST_SQUEEZE)
            strip[:, torch.from_numpy(at_level).to(image.device)] = _smoothed(
                copies[level],
                origins[at_level],
                directions[at_level],
                squeeze=squeeze,
                size=(image.shape[2], image.shape[1]),
            )
        warped[:, rows] = strip
    return warped


def warp_mask_in_perspective(mask: Tensor | None, frame: ViewFrame, *, like: Tensor) -> Tensor:
    """Warp a mask as :func:`warp_in_perspective` warps its image.

    Args:
        mask: [H, W] bool; None where the whole image is allowed.
        frame: The homography, from px of the image to px of the result, and its size.
        like: The image [C, H, W].

    Returns:
        [H', W'] bool, True where the image, and within it the mask, reaches for
        :data:`gluestick.images.warp.BORDER` px around, and before the horizon.

    Raises:
        ShapeError: If the mask does not have the shape [H, W].
    """
    height, width = like.shape[1:]
    if mask is not None:
        check_shapes(
            "warp_mask_in_perspective",
            {"image": like, "mask": mask},
            {"image": "C H W", "mask": "H W"},
        )
    warped = torch.empty(frame.size[1], frame.size[0], dtype=torch.bool, device=like.device)
    for rows in strips(frame.size):
        origins, derivatives = _origins(frame, rows)
        reach = BORDER * np.linalg.norm(derivatives, axis=-1)
        room = np.array([width, height]) - 0.5 - reach
        inside = ((origins >= reach - 0.5) & (origins <= room)).all(axis=-1)
        inside &= (origins @ frame.matrix[2, :2] + frame.matrix[2, 2]) > 0
        warped[rows] = torch.from_numpy(inside).to(like.device)
    if mask is None:
        return warped
    forbidden = warp_in_perspective((~mask.to(like.device, torch.bool)).float()[None], frame)[0]
    return warped & keep_away(forbidden > 0)


def _origins(frame: ViewFrame, rows: slice) -> tuple[np.ndarray, np.ndarray]:
    """Return where rows of a view come from, [h, W', 2], and the derivatives, [h, W', 2, 2]."""
    back = np.linalg.inv(frame.matrix)
    x, y = np.meshgrid(np.arange(frame.size[0]), np.arange(rows.start, rows.stop))
    mapped = np.stack([x, y, np.ones_like(x)], axis=-1) @ back.T
    depth = np.where(abs(mapped[..., 2:]) < np.finfo(float).tiny, 1, mapped[..., 2:])
    origins = mapped[..., :2] / depth
    derivatives = back[:2, :2] - origins[..., None] * back[2, :2]
    return origins, derivatives / depth[..., None]


def _squeezes(derivatives: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return both singular values of matrices [..., 2, 2], and where the larger one points to."""
    a, b = derivatives[..., 0, 0], derivatives[..., 0, 1]
    c, d = derivatives[..., 1, 0], derivatives[..., 1, 1]
    first, second, product = a * a + b * b, c * c + d * d, a * c + b * d
    angle = np.arctan2(2 * product, first - second) / 2
    half, spread = (first + second) / 2, np.hypot((first - second) / 2, product)
    directions = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    return np.sqrt(half + spread), np.sqrt(np.maximum(half - spread, 0)), directions


def _halved(image: Tensor) -> Tensor:
    size = [math.ceil(length / 2) for length in image.shape[1:]]
    return F.interpolate(
        image[None], size=size, mode="bilinear", align_corners=False, antialias=True
    )[0]


def _smoothed(
    source: Tensor,
    origins: np.ndarray,
    directions: np.ndarray,
    *,
    squeeze: np.ndarray,
    size: tuple[int, int],
) -> Tensor:
    """Sample a copy of an image, smoothed along a direction at each position.

    Args:
        source: [C, h, w], the image of this size, reduced.
        origins: [N, 2] px of the image.
        directions: [N, 2], of unit length.
        squeeze: [N], how many px of the copy become one px of the view.
        size: (width, height) px of the image.

    Returns:
        [C, N].
    """
    device = source.device
    deviations = SMOOTHING * np.sqrt(squeeze**2 - 1)
    count = math.ceil(REACH * float(deviations.max(initial=0)))
    extent = np.array(size)
    centre = torch.from_numpy(((origins + 0.5) * 2 / extent - 1).astype(np.float32)).to(device)
    reach = REACH * deviations[:, None] * directions * 2 / np.array(source.shape[:0:-1])
    step = torch.from_numpy((reach / max(count, 1)).astype(np.float32)).to(device)
    steps = np.arange(-count, count + 1)
    weights = np.exp(-0.5 * (REACH * steps / max(count, 1)) ** 2)
    sampled = source.new_zeros(source.shape[0], len(origins))
    for offset, weight in zip(steps.tolist(), (weights / weights.sum()).tolist(), strict=True):
        grid = (centre + offset * step)[None, None]
        sampled += (
            weight
            * F.grid_sample(
                source[None], grid, mode="bilinear", padding_mode="border", align_corners=False
            )[0, :, 0]
        )
    return sampled
