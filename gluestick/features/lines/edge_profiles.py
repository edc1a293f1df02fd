"""How grey values change across line segments: contrast, and sub-pixel positions."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from gluestick.checks import check_shapes
from gluestick.features.points.sampling import sample_map
from gluestick.geometry.lines import line_normals, points_on_lines
from gluestick.images import to_grayscale

_CONTRAST_SAMPLES = 16
_CONTRAST_OFFSETS = (-1.0, 0.0, 1.0)  # px
_REFINEMENT_SAMPLES = 24
_REFINEMENT_OFFSETS = tuple(np.arange(-2.0, 2.5, 0.5))  # px
_REFINEMENT_LIMIT = 1.5  # px
_TINY = 1e-6


def gray_values(image: Tensor) -> np.ndarray:
    """Return the grey values that OpenCV's detectors take.

    Args:
        image: [3, H, W] float32 in [0, 1], RGB.

    Returns:
        [H, W] uint8.

    Raises:
        ShapeError: If the image has another shape.
    """
    check_shapes("detect", {"image": image}, {"image": "3 H W"})
    gray = (to_grayscale(image.detach()) * 255).round().clamp(0, 255)
    return gray.to(torch.uint8).cpu().numpy()


def gray_gradient(gray: np.ndarray) -> Tensor:
    """Return the derivatives of grey values by the Sobel operator.

    Args:
        gray: [H, W] uint8.

    Returns:
        [2, H, W] float32, along x and y, per px, where black is 0 and white is 1.
    """
    scale = 1 / (8 * 255)
    along_x = cv2.Sobel(gray, cv2.CV_32F, 1, 0, ksize=3, scale=scale)
    along_y = cv2.Sobel(gray, cv2.CV_32F, 0, 1, ksize=3, scale=scale)
    return torch.from_numpy(np.stack([along_x, along_y]))


def root_contrast(gradient: Tensor, lines: np.ndarray) -> np.ndarray:
    """Return the square root of the mean contrast across each segment.

    The contrast at a point is the steepest change of the grey value across the segment within
    one pixel to both sides; it is averaged over points along the segment.

    Args:
        gradient: [2, H, W], as from :func:`gray_gradient`.
        lines: [L, 2, 2] px, of positive length.

    Returns:
        [L] in [0, 1].
    """
    slopes = _slopes_across(gradient, lines, samples=_CONTRAST_SAMPLES, offsets=_CONTRAST_OFFSETS)
    return np.sqrt(np.abs(slopes).max(axis=2).mean(axis=1))


def refine_lines(gradient: Tensor, lines: np.ndarray) -> np.ndarray:
    """Move segments onto the edge with sub-pixel accuracy.

    At points along the segment, the centre of gravity of the change of the grey value across
    it, within two pixels to both sides, tells where the edge lies. A straight line fitted to
    these offsets, weighted by the change, moves each endpoint across the segment by at most
    1.5 px.

    Args:
        gradient: [2, H, W], as from :func:`gray_gradient`.
        lines: [L, 2, 2] px, of positive length.

    Returns:
        [L, 2, 2] float32 px.
    """
    offsets = np.asarray(_REFINEMENT_OFFSETS)  # [O]
    slopes = _slopes_across(
        gradient, lines, samples=_REFINEMENT_SAMPLES, offsets=_REFINEMENT_OFFSETS
    )
    polarity = np.sign(slopes[:, :, np.abs(offsets) <= 0.5].sum(axis=(1, 2)))
    weights = np.maximum(slopes * polarity[:, None, None], 0)  # [L, K, O]
    weight = weights.sum(axis=2)  # [L, K]
    centre = (weights * offsets).sum(axis=2) / np.maximum(weight, _TINY)  # [L, K]

    along = _fractions(_REFINEMENT_SAMPLES) - 0.5  # [K]
    total = weight.sum(axis=1) + _TINY  # [L]
    mean_along = (weight * along).sum(axis=1) / total
    mean_centre = (weight * centre).sum(axis=1) / total
    deviation = along - mean_along[:, None]  # [L, K]
    covariance = (weight * deviation * (centre - mean_centre[:, None])).sum(axis=1)
    tilt = covariance / ((weight * deviation**2).sum(axis=1) + _TINY)
    ends = np.stack([-0.5 - mean_along, 0.5 - mean_along], axis=1)  # [L, 2]
    shifts = mean_centre[:, None] + tilt[:, None] * ends
    shifts = shifts.clip(-_REFINEMENT_LIMIT, _REFINEMENT_LIMIT)
    moved = lines + shifts[..., None] * line_normals(lines)[:, None]  # [L, 2, 2]
    return moved.astype(np.float32)


def _fractions(samples: int) -> np.ndarray:
    """Return the centres of equal parts of [0, 1]."""
    return (np.arange(samples, dtype=np.float32) + 0.5) / samples


def _slopes_across(
    gradient: Tensor, lines: np.ndarray, *, samples: int, offsets: Sequence[float]
) -> np.ndarray:
    """Return the derivative across segments, at offsets px beside them: [L, K samples, O]."""
    lines = lines.astype(np.float32)
    normals = line_normals(lines)  # [L, 2]
    across = np.asarray(offsets, dtype=np.float32)[:, None] * normals[:, None]  # [L, O, 2]
    on_line = points_on_lines(lines, _fractions(samples))  # [L, K, 2]
    positions = on_line[:, :, None] + across[:, None]  # [L, K, O, 2]
    sampled = sample_map(gradient, torch.from_numpy(positions).reshape(-1, 2))  # [L * K * O, 2]
    gradients = sampled.numpy().reshape(positions.shape)
    return (gradients * normals[:, None, None]).sum(axis=-1)
