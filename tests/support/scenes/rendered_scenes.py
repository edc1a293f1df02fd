"""Rendered images with known content, shared by the tests of the detectors."""

import numpy as np
import torch
from torch import Tensor


def patchwork(height: int, width: int, *, seed: int = 0) -> Tensor:
    """Return an image [3, H, W] of overlapping rectangles: many corners at any size."""
    generator = np.random.default_rng(seed)
    image = np.full((height, width, 3), 0.5, dtype=np.float32)
    for _ in range(60):
        y, x = generator.integers(0, height), generator.integers(0, width)
        h, w = generator.integers(2, max(3, height // 3)), generator.integers(2, max(3, width // 3))
        image[y : y + h, x : x + w] = generator.random(3)
    image += generator.normal(0, 0.02, image.shape).astype(np.float32)
    return torch.from_numpy(image.clip(0, 1)).permute(2, 0, 1).contiguous()


def blob(height: int, width: int, *, centre: tuple[float, float], sigma: float) -> Tensor:
    """Return an image [3, H, W] of a bright Gaussian blob at (x, y) px on grey."""
    x, y = torch.arange(width)[None], torch.arange(height)[:, None]
    squared = (x - centre[0]) ** 2 + (y - centre[1]) ** 2
    image = 0.2 + 0.6 * torch.exp(-squared / (2 * sigma**2))
    return image.expand(3, -1, -1).contiguous()
