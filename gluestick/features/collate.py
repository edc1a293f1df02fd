"""Features of several images in one batch."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gluestick.transfers import to_host
from gluestick.types import Features, pad_and_stack

_KEYPOINT_FIELDS = ("keypoints", "keypoint_scores", "descriptors", "keypoint_mask")
_LINE_FIELDS = ("lines", "line_scores", "line_mask")


def stack_features(features: Sequence[Features], *, padded: bool = True) -> Features:
    """Put features into one batch, padded to the largest counts of keypoints and lines.

    Args:
        features: At least one value, of one or several images each, with descriptors of equal
            size and on one device. Padding comes last in each image.
        padded: Whether there may be padding, of which a device has to be asked.

    Returns:
        The images of all values in their order. Padding that was there before is removed.

    Raises:
        ValueError: If there is no value, or the descriptors differ in size.
    """
    if not features:
        raise ValueError("stacking needs the features of at least one image, found none")
    dims = sorted({value.descriptors.shape[2] for value in features})
    if len(dims) > 1:
        raise ValueError(
            f"stacked features need descriptors of one size, found {dims}: "
            "extract all images with the same detector"
        )
    num_keypoints, num_lines = _counts(features, padded=padded)
    stacked = {name: _stack(features, name, num_keypoints) for name in _KEYPOINT_FIELDS}
    stacked |= {name: _stack(features, name, num_lines) for name in _LINE_FIELDS}
    if all(value.side_colors is not None for value in features):
        stacked["side_colors"] = _stack(features, "side_colors", num_lines)
    return Features(
        image_size=torch.cat([value.image_size for value in features]),
        **stacked,
        describe=tuple(sampler for value in features for sampler in value.describe),
        views=tuple(view for value in features for view in value.views),
        scales=tuple(scale for value in features for scale in value.scales),
    )


def _counts(features: Sequence[Features], *, padded: bool) -> tuple[list[int], list[int]]:
    """Return how many keypoints and lines each image has, from all devices in one copy."""
    if padded:
        sums = [
            torch.stack([value.keypoint_mask.sum(dim=1), value.line_mask.sum(dim=1)])
            for value in features
        ]
        (counts,) = to_host(torch.cat(sums, dim=1))  # [2, B]
        return counts[0].tolist(), counts[1].tolist()
    num_keypoints = [value.keypoint_mask.shape[1] for value in features]
    num_lines = [value.line_mask.shape[1] for value in features]
    return num_keypoints, num_lines


def _stack(features: Sequence[Features], name: str, counts: Sequence[int]) -> Tensor:
    rows = [row for value in features for row in getattr(value, name)]
    return pad_and_stack([row[:count] for row, count in zip(rows, counts, strict=True)])
