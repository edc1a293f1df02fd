"""Wireframes of several images in one, and back."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gluestick.transfers import to_host
from gluestick.types import Wireframe, pad_and_stack

_NODE_FIELDS = ("keypoints", "keypoint_scores", "descriptors", "keypoint_mask")
_LINE_FIELDS = ("lines", "detected_lines", "line_scores", "line_mask", "line_junctions")
_IMAGE_FIELDS = ("image_size", "num_junctions")


def stack_wireframes(wireframes: Sequence[Wireframe], *, padded: bool = True) -> Wireframe:
    """Put wireframes into one batch, padded to the largest counts of nodes and lines.

    Args:
        wireframes: At least one wireframe, of one or several images each, with descriptors of
            equal size and on one device.
        padded: Whether there may be padding, of which a device has to be asked. Otherwise each
            wireframe is of one image.

    Returns:
        The images of all wireframes in their order. Padding that was there before is removed.

    Raises:
        ValueError: If there is no wireframe, or the descriptors differ in size.
    """
    singles = _split(wireframes) if padded else wireframes
    if not singles:
        raise ValueError("stacking needs at least one wireframe, found none: give a longer list")
    dims = sorted({single.descriptors.shape[2] for single in singles})
    if len(dims) > 1:
        raise ValueError(
            f"stacked wireframes need descriptors of one size, found {dims}: "
            "extract all images with the same detector"
        )
    if len(singles) == 1:
        return singles[0]
    values: dict[str, Tensor] = {
        name: pad_and_stack([getattr(single, name)[0] for single in singles])
        for name in _NODE_FIELDS + _LINE_FIELDS
    }
    values |= {
        name: torch.cat([getattr(single, name) for single in singles]) for name in _IMAGE_FIELDS
    }
    colors = [single.side_colors[0] for single in singles if single.side_colors is not None]
    if len(colors) == len(singles):
        values["side_colors"] = pad_and_stack(colors)
    num_nodes = values["keypoints"].shape[1]
    edges = [single.edge_index + row * num_nodes for row, single in enumerate(singles)]
    views = tuple(view for single in singles for view in single.views)
    scales = tuple(scale for single in singles for scale in single.scales)
    return Wireframe(**values, edge_index=torch.cat(edges, dim=1), views=views, scales=scales)


def split_wireframe(wireframe: Wireframe) -> list[Wireframe]:
    """Take a batch apart into wireframes of one image each, without padding.

    The inverse of :func:`stack_wireframes`.

    Args:
        wireframe: The wireframes of B images, of which the padding comes last.

    Returns:
        B wireframes with a batch size of 1.
    """
    return _split([wireframe])


def _split(wireframes: Sequence[Wireframe]) -> list[Wireframe]:
    """Take batches apart, with a single question to the device."""
    if not wireframes:
        return []
    images = [_edge_images(wireframe) for wireframe in wireframes]  # [E] each
    counted = [
        torch.stack(
            [
                wireframe.keypoint_mask.sum(dim=1),
                wireframe.line_mask.sum(dim=1),
                torch.zeros_like(wireframe.num_junctions).index_add(
                    0, image, torch.ones_like(image)
                ),
            ]
        )
        for wireframe, image in zip(wireframes, images, strict=True)
    ]
    counts = iter(to_host(torch.cat(counted, dim=1))[0].T.tolist())
    return [
        single
        for wireframe, image in zip(wireframes, images, strict=True)
        for single in _split_one(wireframe, image, [next(counts) for _ in wireframe.keypoints])
    ]


def _edge_images(wireframe: Wireframe) -> Tensor:
    return wireframe.edge_index[0] // max(wireframe.keypoints.shape[1], 1)


def _split_one(
    wireframe: Wireframe, edge_images: Tensor, counts: Sequence[Sequence[int]]
) -> list[Wireframe]:
    """Take a batch apart, given the numbers of nodes, lines and edges of each image."""
    num_nodes = wireframe.keypoints.shape[1]
    order = edge_images.argsort(stable=True)
    edges = (wireframe.edge_index - edge_images * num_nodes)[:, order]
    singles = []
    for row, (node_count, line_count, edge_count) in enumerate(counts):
        image = slice(row, row + 1)
        values = {name: getattr(wireframe, name)[image, :node_count] for name in _NODE_FIELDS}
        values |= {name: getattr(wireframe, name)[image, :line_count] for name in _LINE_FIELDS}
        values |= {name: getattr(wireframe, name)[image] for name in _IMAGE_FIELDS}
        if wireframe.side_colors is not None:
            values["side_colors"] = wireframe.side_colors[image, :line_count]
        edge_index, edges = edges.tensor_split((edge_count,), dim=1)
        singles.append(
            Wireframe(
                **values,
                edge_index=edge_index,
                views=wireframe.views[image],
                scales=wireframe.scales[image],
            )
        )
    return singles
