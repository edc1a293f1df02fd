"""Keypoints of several small views of one image, detected at once.

The views are laid out on one sheet, so that a detector runs once for all of them: what it costs to
start is paid once, and a GPU has enough to do.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from gluestick.features.extractor import FeatureExtractor
from gluestick.images.view import TurnMap, View
from gluestick.transfers import small_tensor, to_host

_MARGIN = 8
"""How far, px, the border of a view is continued on the sheet, on all sides."""


class Described(NamedTuple):
    """Keypoints of an image in one view.

    Attributes:
        positions: [N, 2] float64 px of the image, strongest first.
        descriptors: [N, D], rows of unit norm.
    """

    positions: np.ndarray
    descriptors: np.ndarray


def describe_views(
    extractor: FeatureExtractor, views: Sequence[View], *, max_num_keypoints: int
) -> list[Described]:
    """Find and describe the keypoints of several views of one image.

    Args:
        extractor: Detects and describes.
        views: The views.
        max_num_keypoints: How many keypoints each view may have. What is left of all views
            together, where the strongest are kept, may be fewer for views that show little.

    Returns:
        The keypoints of each view.
    """
    if not views:
        return []
    origins, (width, height) = _layout([(v.image.shape[2], v.image.shape[1]) for v in views])
    first = views[0].image
    image = first.new_zeros(first.shape[0], height, width)
    mask = torch.zeros(height, width, dtype=torch.bool, device=first.device)
    for view, (left, top) in zip(views, origins, strict=True):
        rows, columns = view.image.shape[1:]
        bordered = F.pad(view.image[None], (_MARGIN,) * 4, mode="replicate")[0]
        image[
            :,
            top - _MARGIN : top + rows + _MARGIN,
            left - _MARGIN : left + columns + _MARGIN,
        ] = bordered
        mask[top : top + rows, left : left + columns] = True if view.mask is None else view.mask
    place = TurnMap(scale=small_tensor([1.0, 1.0], like=image), resized_size=(width, height))
    points = extractor.points_in(
        View(image=image, mask=mask, place=place), max_num_keypoints=len(views) * max_num_keypoints
    )
    positions, inside = _apart(points.keypoints, views, origins)
    on_host, whose, descriptors = to_host(positions, inside, points.descriptors)
    found = []
    for index in range(len(views)):
        chosen = np.flatnonzero(whose[index])[:max_num_keypoints]
        found.append(Described(on_host[index, chosen].astype(np.float64), descriptors[chosen]))
    return found


def _layout(
    sizes: Sequence[tuple[int, int]],
) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """Place views (width, height) px; return their corners and the size of the smallest sheet."""
    cells = [(width + 2 * _MARGIN, height + 2 * _MARGIN) for width, height in sizes]
    widest = max(width for width, _ in cells)
    widths = {
        max(widest, sum(width for width, _ in cells[:number])) for number in range(len(cells))
    }
    sheets = [_in_rows(cells, width) for width in sorted(widths)]
    return min(sheets, key=lambda sheet: sheet[1][0] * sheet[1][1])


def _in_rows(
    cells: Sequence[tuple[int, int]], limit: int
) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """Place cells in rows of a width, the highest first, whatever their order."""
    corners = [(0, 0)] * len(cells)
    left, top, bottom, right = 0, 0, 0, 0
    for index in sorted(range(len(cells)), key=lambda index: -cells[index][1]):
        width, height = cells[index]
        if left + width > limit:
            left, top = 0, bottom
        corners[index] = (left + _MARGIN, top + _MARGIN)
        left += width
        right, bottom = max(right, left), max(bottom, top + height)
    return corners, (right, bottom)


def _apart(
    keypoints: Tensor, views: Sequence[View], origins: Sequence[tuple[int, int]]
) -> tuple[Tensor, Tensor]:
    """Return where keypoints [M, 2] of the sheet lie in the image, would they be of each view.

    Returns:
        [V, M, 2] px of the image, and whether they are of that view, [V, M].
    """
    positions, inside = [], []
    for view, (left, top) in zip(views, origins, strict=True):
        height, width = view.image.shape[1:]
        in_view = keypoints - small_tensor([float(left), float(top)], like=keypoints)
        size = small_tensor([float(width), float(height)], like=keypoints)
        inside.append(((in_view >= -0.5) & (in_view < size - 0.5)).all(dim=1))
        positions.append(view.place.to_original(in_view))
    return torch.stack(positions), torch.stack(inside)
