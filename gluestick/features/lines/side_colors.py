"""What colours lie on both sides of line segments."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from gluestick.checks import check_shapes
from gluestick.images.view import View
from gluestick.precision import without_autocast
from gluestick.types import Lines

_OFFSETS = (2.0, 4.0, 7.0)  # px
_NUM_PLACES = 8
_LEAST_DEVIATION = 0.02
NUM_SIDE_COLORS = 3 * len(_OFFSETS)


def side_colors_of(view: View, lines: Lines) -> Tensor:
    """Sample a view on both sides of segments, in px of its original; see :func:`side_colors`."""
    places = view.place.from_original(lines.lines.to(view.image.device))
    with without_autocast(view.image.device):
        return side_colors(view.image, places)


@torch.no_grad()
def side_colors(image: Tensor, lines: Tensor) -> Tensor:
    """Sample an image on both sides of segments.

    Brightness and contrast of the whole image are taken out, so that values of two images can be
    compared.

    Args:
        image: [3, H, W] in [0, 1], RGB.
        lines: [L, 2, 2] px.

    Returns:
        [L, 2, 9] on the device of the image: on the left (of somebody who walks from the first
        to the second endpoint, in an image whose y axis points up) and on the right, the colours
        at 2, 4 and 7 px from the segment, averaged along it, in standard deviations of the
        image's grey values from their mean.

    Raises:
        ShapeError: If a shape does not fit.
    """
    check_shapes(
        "side_colors", {"image": image, "lines": lines}, {"image": "3 H W", "lines": "L 2 2"}
    )
    if len(lines) == 0:
        return image.new_zeros(0, 2, NUM_SIDE_COLORS)
    gray = image.mean(0)
    return colors_beside(
        image[None],
        lines.to(image)[None],
        mean=gray.mean()[None],
        deviation=gray.std(correction=0)[None],
    )[0]


def colors_beside(images: Tensor, lines: Tensor, *, mean: Tensor, deviation: Tensor) -> Tensor:
    """Sample images on both sides of segments.

    Args:
        images: [B, 3, H, W] in [0, 1], RGB.
        lines: [B, L, 2, 2] px.
        mean: [B], of the grey values of each image.
        deviation: [B], their standard deviation.

    Returns:
        [B, L, 2, 9], as :func:`side_colors`.
    """
    height, width = images.shape[2:]
    steps = lines[:, :, 1] - lines[:, :, 0]  # [B, L, 2]
    normals = torch.stack([steps[..., 1], -steps[..., 0]], dim=-1)
    normals = normals / steps.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    place = torch.arange(_NUM_PLACES, device=images.device, dtype=images.dtype)
    along = (place + 0.5) / _NUM_PLACES
    across = lines.new_tensor([*_OFFSETS, *(-offset for offset in _OFFSETS)])
    places = lines[:, :, None, :1] + along[:, None] * steps[:, :, None, None]  # [B, L, 1, S, 2]
    places = places + across[:, None, None] * normals[:, :, None, None]  # [B, L, 6, S, 2]
    x, y = ((places + 0.5) * 2).unbind(-1)
    grid = torch.stack([x / width - 1, y / height - 1], dim=-1).flatten(2, 3)  # [B, L, 6 * S, 2]
    found = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    colors = found.unflatten(3, (len(across), _NUM_PLACES)).mean(4).permute(0, 2, 3, 1)
    deviation = deviation.clamp(min=_LEAST_DEVIATION)
    values = (colors - mean[:, None, None, None]) / deviation[:, None, None, None]
    return values.reshape(*lines.shape[:2], 2, NUM_SIDE_COLORS)
