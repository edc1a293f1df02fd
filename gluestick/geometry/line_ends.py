"""Which ends of matched segments correspond."""

import numpy as np

_NEIGHBOURS = 12


def ends_reversed(
    lines0: np.ndarray, lines1: np.ndarray, points0: np.ndarray, points1: np.ndarray
) -> np.ndarray:
    """Tell which matched segments run in opposite directions in the two images.

    The 12 matched points nearest to the middle of a segment say how the image is turned there,
    by the least-squares similarity (Umeyama, PAMI 1991, in the plane).

    Args:
        lines0: [S, 2, 2] px of image 0.
        lines1: [S, 2, 2] px of image 1, row by row the same line.
        points0: [M, 2] px of image 0, matched points.
        points1: [M, 2] px of image 1.

    Returns:
        [S] bool: True where the first end in image 0 is the second in image 1. With fewer than
        two points the images count as not turned against each other.
    """
    directions = [_complex(lines[:, 1] - lines[:, 0]) for lines in (lines0, lines1)]
    turns = np.ones(len(lines0), dtype=complex)
    if len(points0) > 1:
        middles, places0, places1 = (
            _complex(lines0.mean(axis=1)),
            *map(_complex, (points0, points1)),
        )
        count = min(_NEIGHBOURS, len(points0))
        distances = np.abs(middles[:, None] - places0)  # [S, M]
        nearest = np.argpartition(distances, count - 1, axis=1)[:, :count]
        around0, around1 = (
            places[nearest] - places[nearest].mean(axis=1, keepdims=True)
            for places in (places0, places1)
        )  # [S, count]
        turns = (around0.conj() * around1).sum(axis=1)
    return (directions[0] * turns * directions[1].conj()).real < 0


def _complex(vectors: np.ndarray) -> np.ndarray:
    return vectors[..., 0] + 1j * vectors[..., 1]
