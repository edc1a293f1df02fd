"""Wireframes as the views show them in which they were extracted."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from gluestick.types import ViewFrame, Wireframe


def wireframe_in_view(wireframe: Wireframe) -> Wireframe:
    """Move the positions of wireframes into the views in which they were extracted.

    Networks take the directions between nodes into account, so two images whose descriptors were
    taken in some view are also matched there. The order of nodes, lines and endpoints is kept.

    Networks measure lengths against the size of the image. A turned image keeps its own, although
    the canvas that holds it is larger: positions are then relative to an upright rectangle of
    that size about the centre of the canvas, beyond which corners of the image lie.

    Args:
        wireframe: The wireframes of B images, in px of the images.

    Returns:
        The wireframes in px of their views, with the sizes of those, or of their images where
        they are turned by no multiple of 90 degrees; the views are the images now. Without any
        view the wireframe itself.
    """
    if all(view is None for view in wireframe.views):
        return wireframe
    image_size = torch.stack(
        [
            row if view is None or _is_oblique_turn(view) else row.new_tensor(view.size)
            for row, view in zip(wireframe.image_size, wireframe.views, strict=True)
        ]
    )

    def moved(points: Tensor) -> Tensor:
        return torch.stack(
            [
                row if view is None else _in_view(row, view, size)
                for row, view, size in zip(points, wireframe.views, image_size, strict=True)
            ]
        )

    return replace(
        wireframe,
        image_size=image_size,
        keypoints=moved(wireframe.keypoints),
        lines=moved(wireframe.lines),
        detected_lines=moved(wireframe.detected_lines),
        views=(),
    )


def _is_oblique_turn(view: ViewFrame) -> bool:
    """Return whether a view is a turn by no multiple of 90 degrees, and nothing more."""
    (a, b, _), (c, d, _) = view.affine
    lengths_kept = math.isclose(a * a + c * c, 1, rel_tol=1e-9)
    return view.is_affine and lengths_kept and a == d and b == -c and a * b != 0


def _in_view(points: Tensor, view: ViewFrame, size: Tensor) -> Tensor:
    """Map positions [..., 2] to the view, or to a frame of this size about its centre."""
    seen = view.from_original(points)
    if not _is_oblique_turn(view):
        return seen
    return seen - (seen.new_tensor(view.size) - size.to(seen)) / 2
