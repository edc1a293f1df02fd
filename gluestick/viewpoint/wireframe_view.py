"""Wireframes as the views show them in which they were extracted."""

from dataclasses import replace

import torch
from torch import Tensor

from gluestick.types import Wireframe


def wireframe_in_view(wireframe: Wireframe) -> Wireframe:
    """Move the positions of wireframes into the views in which they were extracted.

    Networks take the directions between nodes into account, so two images whose descriptors were
    taken in some view are also matched there. The order of nodes, lines and endpoints is kept.

    Args:
        wireframe: The wireframes of B images, in px of the images.

    Returns:
        The wireframes in px of their views, with the sizes of those; the views are the images now.
        Without any view the wireframe itself.
    """
    if all(view is None for view in wireframe.views):
        return wireframe

    def moved(points: Tensor) -> Tensor:
        return torch.stack(
            [
                row if view is None else view.from_original(row)
                for row, view in zip(points, wireframe.views, strict=True)
            ]
        )

    image_size = [
        row if view is None else row.new_tensor(view.size)
        for row, view in zip(wireframe.image_size, wireframe.views, strict=True)
    ]
    return replace(
        wireframe,
        image_size=torch.stack(image_size),
        keypoints=moved(wireframe.keypoints),
        lines=moved(wireframe.lines),
        detected_lines=moved(wireframe.detected_lines),
        views=(),
    )
