"""What both networks need of their inputs: checks, and positions without a unit."""

from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gluestick.transfers import to_host
from gluestick.types import Wireframe

_FINITE = ("keypoints", "descriptors")


class NodeCounts(NamedTuple):
    """How many nodes each wireframe of a batch has, known to the host.

    Attributes:
        junctions: [B], the numbers of junctions.
        keypoints: [B], the numbers of the other nodes.
    """

    junctions: list[int]
    keypoints: list[int]

    @classmethod
    def of(cls, num_junctions: np.ndarray, num_nodes: np.ndarray) -> "NodeCounts":
        """Return the counts, given those of junctions and of all nodes, [B] each."""
        return cls(num_junctions.tolist(), (num_nodes - num_junctions).tolist())

    @property
    def equal(self) -> bool:
        """Whether all wireframes have as many junctions and as many other nodes."""
        return len(set(self.junctions)) < 2 and len(set(self.keypoints)) < 2


def check_pair(
    wireframe0: Wireframe, wireframe1: Wireframe, *, descriptor_dim: int
) -> tuple[NodeCounts, NodeCounts]:
    """Check that two wireframes can be matched.

    Args:
        wireframe0: The wireframes of the images 0.
        wireframe1: The wireframes of the images 1.
        descriptor_dim: The descriptor size D that the network takes.

    Returns:
        How many nodes the wireframes 0 and the wireframes 1 have.

    Raises:
        ValueError: If the batches differ in size, the descriptors have another size, or a
            position or descriptor is NaN or infinite.
    """
    if wireframe0.batch_size != wireframe1.batch_size:
        raise ValueError(
            "both sides need the same number of images, found "
            f"{wireframe0.batch_size} and {wireframe1.batch_size}"
        )
    for side, wireframe in enumerate((wireframe0, wireframe1)):
        found = wireframe.descriptors.shape[-1]
        if found != descriptor_dim:
            raise ValueError(
                f"the network takes descriptors of size {descriptor_dim}, found {found} in "
                f"wireframe {side}: use the detector that the model was trained with"
            )
    sides = (wireframe0, wireframe1)
    asked = to_host(
        *(side.num_junctions for side in sides),
        *(side.keypoint_mask.sum(1) for side in sides),
        *(torch.isfinite(getattr(side, name)).all() for side in sides for name in _FINITE),
    )
    for (side, name), finite in zip(product((0, 1), _FINITE), asked[4:], strict=True):
        if not finite:
            raise ValueError(
                f"the {name} of wireframe {side} contain NaN or infinite values: check the "
                "detector and its input image"
            )
    return NodeCounts.of(asked[0], asked[2]), NodeCounts.of(asked[1], asked[3])


def count_nodes(wireframe: Wireframe) -> NodeCounts:
    """Ask the device of a batch of wireframes how many nodes each has."""
    return NodeCounts.of(*to_host(wireframe.num_junctions, wireframe.keypoint_mask.sum(1)))


def normalize_keypoints(keypoints: Tensor, image_size: Tensor, *, scale: float) -> Tensor:
    """Move the origin to the image centre and divide by the longer side.

    Args:
        keypoints: [B, ..., 2] px.
        image_size: [B, 2], (width, height) px.
        scale: The share of the longer side that becomes 1: 0.5 in LightGlue and
            LightGlueStick, 0.7 in GlueStick.

    Returns:
        [B, ..., 2] without unit; positions outside the image are allowed.
    """
    shape = (-1,) + (1,) * (keypoints.ndim - 2) + (2,)
    size = image_size.to(keypoints.dtype)
    longer_side = size.amax(1).reshape(*shape[:-1], 1)
    return (keypoints - size.reshape(shape) / 2) / (longer_side * scale)
