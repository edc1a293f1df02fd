"""What colours lie on both sides of line segments."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from gluestick.checks import check_shapes

_OFFSETS = (2.0, 4.0, 7.0)  # px
_NUM_PLACES = 8
_LEAST_DEVIATION = 0.02
NUM_SIDE_COLORS = 3 * len(_OFFSETS)


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
    height, width = image.shape[1:]
    if len(lines) == 0:
        return image.new_zeros(0, 2, NUM_SIDE_COLORS)
    gray = image.mean(0)
    deviation = gray.std(correction=0).clamp(min=_LEAST_DEVIATION)
    lines = lines.to(image)
    steps = lines[:, 1] - lines[:, 0]
    normals = torch.stack([steps[:, 1], -steps[:, 0]], dim=1)
    normals = normals / steps.norm(dim=1, keepdim=True).clamp(min=1e-6)
    along = (torch.arange(_NUM_PLACES, device=image.device, dtype=image.dtype) + 0.5) / _NUM_PLACES
    across = lines.new_tensor([*_OFFSETS, *(-offset for offset in _OFFSETS)])
    places = lines[:, None, :1] + along[:, None] * steps[:, None, None]  # [L, 1, S, 2]
    places = places + across[:, None, None] * normals[:, None, None]  # [L, 6, S, 2]
    grid = (places + 0.5) * 2 / lines.new_tensor([width, height]) - 1
    found = F.grid_sample(
        image[None], grid.flatten(1, 2)[None], padding_mode="border", align_corners=False
    )[0]  # [3, L, 6 * S]
    colors = found.unflatten(2, (len(across), _NUM_PLACES)).mean(3)  # [3, L, 6]
    values = ((colors - gray.mean()) / deviation).permute(1, 2, 0)  # [L, 6, 3]
    return values.reshape(len(lines), 2, NUM_SIDE_COLORS)
