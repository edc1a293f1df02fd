"""Thresholds in pixels of the images, from those in pixels of what detectors see."""

import math

from gluestick.types import Wireframe


def original_max_error(
    wireframe0: Wireframe, wireframe1: Wireframe, max_error: float, *, index: int = 0
) -> float:
    """Return how far matches may be from a model in px of the images as they are.

    Features are as exact as the resized images in which they were found, so that an image which
    was reduced to half its size needs twice the threshold.

    Args:
        wireframe0: The wireframes of the images 0, which know how those were resized.
        wireframe1: The wireframes of the images 1.
        max_error: The threshold in px of the resized images.
        index: Which pair of the batch.

    Returns:
        The threshold for :mod:`gluestick.estimation`, whose errors are means over both images:
        the root mean square of ``max_error`` over the scale of either image; ``max_error``
        itself where neither was resized.
    """
    scales = wireframe0.scales[index], wireframe1.scales[index]
    if scales == (1.0, 1.0):
        return max_error
    return max_error * math.hypot(*(1 / scale for scale in scales)) / math.sqrt(2)
