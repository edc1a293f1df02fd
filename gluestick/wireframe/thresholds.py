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
        the root mean square of ``max_error`` over the scale of either image, times the larger
        scale where one was enlarged; ``max_error`` itself where neither was resized. For the pose
        of one image against a map, the threshold is ``max_error`` over the scale of that image.
    """
    return max_error * mean_enlargement(wireframe0.scales[index], wireframe1.scales[index])


def mean_enlargement(*scales: float) -> float:
    """Return by how much thresholds grow from resized images to the images as they are.

    Args:
        *scales: The size of each resized image over that of the image.

    Returns:
        The root mean square of the inverse scales; exactly 1 where no image was resized. Where
        one was enlarged, as a view may, a pixel of that shows no more than a part of a pixel of
        the image, and all count by pixels of the image.
    """
    if all(scale == 1 for scale in scales):
        return 1.0
    return max(1.0, *scales) * math.sqrt(sum(scale**-2 for scale in scales) / len(scales))
