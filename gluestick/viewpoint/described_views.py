"""What a detector says about views, in the host's memory."""

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from gluestick.features.extractor import FeatureExtractor
from gluestick.features.view_points import described_keypoints
from gluestick.images.view import View
from gluestick.transfers import to_host


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
    """Describe views, and read all of it from the device at once.

    Args:
        extractor: Detects and describes.
        views: The views.
        max_num_keypoints: How many keypoints are described in each.

    Returns:
        For each view its keypoints in px of the original image.
    """
    found = described_keypoints(extractor, views, max_num_keypoints=max_num_keypoints)
    arrays = to_host(*chain(*found))
    return [
        Described(positions.astype(np.float64), descriptors)
        for positions, descriptors in zip(arrays[::2], arrays[1::2], strict=True)
    ]
