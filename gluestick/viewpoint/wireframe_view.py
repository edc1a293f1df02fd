"""Wireframes of turned images."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from gluestick.images.rotation import turn_points, turned_size
from gluestick.types import Wireframe


def turn_wireframe(wireframe: Wireframe, *, turns: Sequence[float] | None) -> Wireframe:
    """Move the positions of wireframes into turned copies of their images.

    Networks take the directions between nodes into account, so two images whose descriptors were
    taken upright are also matched upright. The order of nodes, lines and endpoints is kept.

    Args:
        wireframe: The wireframes of B images.
        turns: For each image how far it is turned, degrees from the x towards the y axis; None
            for no turns.

    Returns:
        The wireframes with positions and image sizes of the copies; see
        :func:`gluestick.images.rotation.turn_points`.

    Raises:
        ValueError: If there is not one turn per image, or a turn is not finite.
    """
    if turns is None:
        return wireframe
    if len(turns) != wireframe.batch_size:
        raise ValueError(
            f"turns need one entry per image, {wireframe.batch_size}, found {len(turns)}: "
            "use 0 for images that stay as they are"
        )
    if all(turn % 360 == 0 for turn in turns):
        return wireframe
    sizes = wireframe.image_size.tolist()

    def turned(points: Tensor) -> Tensor:
        rows = [
            turn_points(row, image_size=size, angle=turn)
            for row, size, turn in zip(points, sizes, turns, strict=True)
        ]
        return torch.stack(rows)

    image_size = [turned_size(size, angle=turn) for size, turn in zip(sizes, turns, strict=True)]
    return replace(
        wireframe,
        image_size=wireframe.image_size.new_tensor(image_size),
        keypoints=turned(wireframe.keypoints),
        lines=turned(wireframe.lines),
        detected_lines=turned(wireframe.detected_lines),
    )
