"""Dominant gradient orientations.

Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV 2004, section 5.
"""

import cv2
import numpy as np

_BINS = 36
_WINDOW = 1.5
_SMOOTHINGS = 2


def dominant_orientations(gray: np.ndarray, positions: np.ndarray, *, sigma: float) -> np.ndarray:
    """Return the direction in which the brightness around a position mostly increases.

    Gradients of the image blurred by ``sigma`` vote, weighted by their length and a Gaussian
    of 1.5 ``sigma`` around the position, into a smoothed histogram of 36 bins, whose highest
    peak is refined by a parabola.

    Args:
        gray: [H, W] uint8.
        positions: [M, 2] px inside the image.
        sigma: The scale, px.

    Returns:
        [M] float32 degrees in [0, 360), from the x towards the y axis.
    """
    height, width = gray.shape
    blurred = cv2.GaussianBlur(gray.astype(np.float32), (0, 0), sigma)
    gradient_y, gradient_x = (
        np.gradient(blurred, axis=axis) if blurred.shape[axis] > 1 else np.zeros_like(blurred)
        for axis in (0, 1)
    )
    radius = round(3 * _WINDOW * sigma)
    offset = np.arange(-radius, radius + 1)
    dx, dy = (grid.ravel() for grid in np.meshgrid(offset, offset))
    gaussian = np.exp(-(dx**2 + dy**2) / (2 * (_WINDOW * sigma) ** 2))

    x, y = np.rint(positions).astype(int).T
    x, y = x[:, None] + dx, y[:, None] + dy  # [M, window^2]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    x, y = x.clip(0, width - 1), y.clip(0, height - 1)
    votes = np.hypot(gradient_x[y, x], gradient_y[y, x]) * gaussian * inside
    angles = np.arctan2(gradient_y[y, x], gradient_x[y, x]) / (2 * np.pi) * _BINS
    bins = np.rint(angles).astype(int) % _BINS + _BINS * np.arange(len(positions))[:, None]
    counts = np.bincount(bins.ravel(), votes.ravel(), minlength=_BINS * len(positions))
    histogram: np.ndarray = counts.reshape(-1, _BINS)
    for _ in range(_SMOOTHINGS):
        histogram = (
            np.roll(histogram, 1, axis=1) + 2 * histogram + np.roll(histogram, -1, axis=1)
        ) / 4
    return _peak(histogram) * np.float32(360 / _BINS) % 360


def _peak(histogram: np.ndarray) -> np.ndarray:
    """Return the position of each row's maximum, refined by a parabola, [M] in bins."""
    best = histogram.argmax(axis=1)
    row = np.arange(len(histogram))
    before, at, after = (histogram[row, (best + step) % _BINS] for step in (-1, 0, 1))
    curvature = before - 2 * at + after
    shift = np.divide(0.5 * (before - after), curvature, out=np.zeros_like(at), where=curvature < 0)
    return (best + shift).astype(np.float32)
