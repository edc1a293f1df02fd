"""Features of several images in one batch."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gluestick.types import Features, pad_and_stack

_KEYPOINT_FIELDS = ("keypoints", "keypoint_scores", "descriptors", "keypoint_mask")
_LINE_FIELDS = ("lines", "line_scores", "line_mask")


def stack_features(features: Sequence[Features]) -> Features:
    """Put features into one batch, padded to the largest counts of keypoints and lines.

    Args:
        features: At least one value, of one or several images each, with descriptors of equal
            size and on one device. Padding comes last in each image.

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
    stacked = {
        **_stack_fields(features, names=_KEYPOINT_FIELDS, mask="keypoint_mask"),
        **_stack_fields(features, names=_LINE_FIELDS, mask="line_mask"),
    }
    return Features(
        image_size=torch.cat([value.image_size for value in features]),
        **stacked,
        describe=tuple(sampler for value in features for sampler in value.describe),
        views=tuple(view for value in features for view in value.views),
    )


def _stack_fields(
    features: Sequence[Features], *, names: tuple[str, ...], mask: str
) -> dict[str, Tensor]:
    counts = [getattr(value, mask).sum(dim=1).tolist() for value in features]
    return {
        name: pad_and_stack(
            [
                row[:count]
                for value, value_counts in zip(features, counts, strict=True)
                for row, count in zip(getattr(value, name), value_counts, strict=True)
            ]
        )
        for name in names
    }
