"""Grey values in which faint parts of an image have as much contrast as others."""

import cv2
import numpy as np

_TARGET = 20.0
"""The standard deviation of the grey values around a pixel below which they are stretched."""

_MAX_GAIN = 5.0
"""With more, LSD would take a single step of the grey values for an edge."""

_REACH = 1 / 16
"""The standard deviation of the Gaussian window, as a share of the longer side."""

_REDUCTION = 8


def even_contrast(gray: np.ndarray) -> np.ndarray:
    """Stretch an image where its contrast is low.

    Around each pixel the grey values keep their mean, and their standard deviation is raised to
    20 where it is less, by a factor of at most 5.

    Args:
        gray: [H, W] uint8.

    Returns:
        [H, W] uint8.
    """
    height, width = gray.shape
    values = gray.astype(np.float32)
    small = max(1, width // _REDUCTION), max(1, height // _REDUCTION)
    sigma = _REACH * max(small)
    moments = [
        cv2.GaussianBlur(cv2.resize(moment, small, interpolation=cv2.INTER_AREA), (0, 0), sigma)
        for moment in (values, values**2)
    ]
    deviation = np.sqrt(np.maximum(moments[1] - moments[0] ** 2, 0))
    gain = (_TARGET / np.maximum(deviation, 1)).clip(1, _MAX_GAIN)
    if (gain == 1).all():
        return gray
    mean, gain = (
        cv2.resize(local, (width, height), interpolation=cv2.INTER_LINEAR)
        for local in (moments[0], gain)
    )
    return (mean + gain * (values - mean)).round().clip(0, 255).astype(np.uint8)
