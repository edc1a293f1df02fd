"""Colours that can be told apart."""

import numpy as np

_PALETTE_SIZE = 14
_GOLDEN_ANGLE = 2 * np.pi * (2 - (1 + 5**0.5) / 2)


def position_colors(points: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """Return a colour per position, which changes smoothly over the image.

    The hue runs from left to right, the lightness from top to bottom, so that what is matched
    to the right place shows the same course of colours in both images.

    Args:
        points: [N, 2] px.
        image_size: (width, height) px.

    Returns:
        [N, 3] uint8, RGB.
    """
    relative = np.clip(points / np.maximum(np.array(image_size) - 1, 1), 0, 1)
    hue = np.deg2rad(20 + 300 * relative[:, 0])
    return _oklch_to_rgb(0.86 - 0.24 * relative[:, 1], np.full(len(points), 0.17), hue)


def neighbor_colors(points: np.ndarray) -> np.ndarray:
    """Return colours that differ between positions that are close to each other.

    Each position in turn takes the colour of a small palette that is farthest away so far.

    Args:
        points: [N, 2] px, the most important first.

    Returns:
        [N, 3] uint8, RGB.
    """
    chosen = np.zeros(len(points), dtype=np.int64)
    for index, point in enumerate(points):
        nearest = np.full(_PALETTE_SIZE, np.inf)
        distances = np.linalg.norm(points[:index] - point, axis=1)
        np.minimum.at(nearest, chosen[:index], distances)
        chosen[index] = np.argmax(nearest)
    lightness = np.array([0.76, 0.88, 0.66])[chosen % 3]
    return _oklch_to_rgb(lightness, np.full(len(points), 0.18), 0.5 + _GOLDEN_ANGLE * chosen)


def identity_colors(identities: np.ndarray) -> np.ndarray:
    """Return a colour for each identity, always the same; numbers that follow each other differ.

    Args:
        identities: [N] integers.

    Returns:
        [N, 3] uint8, RGB.
    """
    lightness = np.array([0.76, 0.88, 0.66])[identities % 3]
    hue = _GOLDEN_ANGLE * identities
    return _oklch_to_rgb(lightness, np.full(len(identities), 0.18), hue)


def _oklch_to_rgb(lightness: np.ndarray, chroma: np.ndarray, hue: np.ndarray) -> np.ndarray:
    """Convert Oklch (Ottosson, "A perceptual color space for image processing", 2020)."""
    a, b = chroma * np.cos(hue), chroma * np.sin(hue)
    to_lms = np.array(
        [
            [1, 0.3963377774, 0.2158037573],
            [1, -0.1055613458, -0.0638541728],
            [1, -0.0894841775, -1.2914855480],
        ]
    )
    to_linear = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear = (np.stack([lightness, a, b], axis=-1) @ to_lms.T) ** 3 @ to_linear.T
    linear = np.clip(linear, 0, 1)
    gamma = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.round(255 * gamma).astype(np.uint8)
