"""Wireframes of several images in one, and back."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gluestick.types import Wireframe, pad_and_stack

_NODE_FIELDS = ("keypoints", "keypoint_scores", "descriptors", "keypoint_mask")
_LINE_FIELDS = ("lines", "detected_lines", "line_scores", "line_mask", "line_junctions")
_IMAGE_FIELDS = ("image_size", "num_junctions")


def stack_wireframes(wireframes: Sequence[Wireframe]) -> Wireframe:
    """Put wireframes into one batch, padded to the largest counts of nodes and lines.

    Args:
        wireframes: At least one wireframe, of one or several images each, with descriptors of
            equal size and on one device.

    Returns:
        The images of all wireframes in their order. Padding that was there before is removed.

    Raises:
        ValueError: If there is no wireframe, or the descriptors differ in size.
    """
    singles = [single for wireframe in wireframes for single in split_wireframe(wireframe)]
    if not singles:
        raise ValueError("stacking needs at least one wireframe, found none: give a longer list")
    dims = sorted({single.descriptors.shape[2] for single in singles})
    if len(dims) > 1:
        raise ValueError(
            f"stacked wireframes need descriptors of one size, found {dims}: "
            "extract all images with the same detector"
        )
    values: dict[str, Tensor] = {
        name: pad_and_stack([getattr(single, name)[0] for single in singles])
        for name in _NODE_FIELDS + _LINE_FIELDS
    }
    values |= {
        name: torch.cat([getattr(single, name) for single in singles]) for name in _IMAGE_FIELDS
    }
    num_nodes = values["keypoints"].shape[1]
    edges = [single.edge_index + row * num_nodes for row, single in enumerate(singles)]
    views = tuple(view for single in singles for view in single.views)
    return Wireframe(**values, edge_index=torch.cat(edges, dim=1), views=views)


def split_wireframe(wireframe: Wireframe) -> list[Wireframe]:
    """Take a batch apart into wireframes of one image each, without padding.

    The inverse of :func:`stack_wireframes`.

    Args:
        wireframe: The wireframes of B images, of which the padding comes last.

    Returns:
        B wireframes with a batch size of 1.
    """
    num_nodes = wireframe.keypoints.shape[1]
    rows = wireframe.edge_index[0] // max(num_nodes, 1)  # [E]
    singles = []
    for row in range(wireframe.batch_size):
        node_count = int(wireframe.keypoint_mask[row].sum())
        line_count = int(wireframe.line_mask[row].sum())
        image = slice(row, row + 1)
        values = {name: getattr(wireframe, name)[image, :node_count] for name in _NODE_FIELDS}
        values |= {name: getattr(wireframe, name)[image, :line_count] for name in _LINE_FIELDS}
        values |= {name: getattr(wireframe, name)[image] for name in _IMAGE_FIELDS}
        edge_index = wireframe.edge_index[:, rows == row] - row * num_nodes
        singles.append(Wireframe(**values, edge_index=edge_index, views=wireframe.views[image]))
    return singles
