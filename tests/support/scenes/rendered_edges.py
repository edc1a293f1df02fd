"""Images of straight edges at known sub-pixel positions."""

import numpy as np
import torch
from torch import Tensor


def half_plane(
    position: float, *, angle: float = 0.0, size: int = 96, dark: float = 0.2, bright: float = 0.8
) -> Tensor:
    """Render [3, size, size], dark below and bright above ``position``.

    The coordinate that is compared is x * cos(angle) + y * sin(angle), where the centre of the
    top-left pixel is (0, 0). A pixel's value is the mean over its area, from 8 x 8 samples.
    """
    samples = (np.arange(size * 8) + 0.5) / 8 - 0.5
    coordinate = samples * np.cos(angle) + samples[:, None] * np.sin(angle)
    above = (coordinate > position).reshape(size, 8, size, 8).mean(axis=(1, 3))
    return torch.from_numpy(dark + (bright - dark) * above).float().expand(3, -1, -1)


def distance_to_edge(points: np.ndarray, position: float, *, angle: float = 0.0) -> np.ndarray:
    """Return the signed distance [...] of points [..., 2] to that edge, px."""
    return points[..., 0] * np.cos(angle) + points[..., 1] * np.sin(angle) - position


def rectangle(*, left: float, top: float, right: float, bottom: float, size: int = 96) -> Tensor:
    """Render [3, size, size] with a bright rectangle, with those sides, on dark ground."""
    samples = np.arange(size)

    def covered(low: float, high: float) -> np.ndarray:
        return np.clip(np.minimum(samples + 0.5, high) - np.maximum(samples - 0.5, low), 0, 1)

    shape = covered(top, bottom)[:, None] * covered(left, right)
    return torch.from_numpy(0.2 + 0.6 * shape).float().expand(3, -1, -1)
