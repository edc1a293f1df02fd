"""Which of many matches are singled out in a picture."""

import numpy as np

_GRID = 6


def spread_out(points: np.ndarray, usable: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """Choose points that are spread over an image, one for each cell of a 6 x 6 grid.

    Args:
        points: [N, 2] px.
        usable: [N] bool, which of them may be chosen.
        image_size: (width, height) px.

    Returns:
        [M] int64, the indices of the chosen.
    """
    candidates = np.flatnonzero(usable)
    relative = points[candidates] / np.maximum(np.array(image_size), 1)
    column, row = np.clip(relative * _GRID, 0, _GRID - 1).astype(int).T
    _, first = np.unique(row * _GRID + column, return_index=True)
    return candidates[first]
