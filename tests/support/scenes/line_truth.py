"""Whether matched lines agree with a known homography."""

import numpy as np

from gluestick.geometry.homography import transform_points


def lines_agree(
    H_0to1: np.ndarray, lines0: np.ndarray, lines1: np.ndarray, *, max_error: float = 5.0
) -> np.ndarray:
    """Return [S] bool: the warped line 0 lies on line 1 and overlaps it by a fifth.

    Both warped endpoints have to be within ``max_error`` px of the line through line 1, and the
    overlap along it has to be a fifth of the shorter of the two.
    """
    warped = transform_points(H_0to1, lines0.reshape(-1, 2)).reshape(-1, 2, 2)
    start, direction = lines1[:, 0], lines1[:, 1] - lines1[:, 0]
    length = np.linalg.norm(direction, axis=-1)
    direction = direction / length[:, None]
    offset = warped - start[:, None]
    normal = np.stack([-direction[:, 1], direction[:, 0]], axis=-1)
    distance = np.abs(np.einsum("sed,sd->se", offset, normal)).max(axis=1)
    along = np.sort(np.einsum("sed,sd->se", offset, direction), axis=1)
    overlap = np.minimum(along[:, 1], length) - np.maximum(along[:, 0], 0)
    shorter = np.minimum(along[:, 1] - along[:, 0], length)
    return (distance < max_error) & (overlap > 0.2 * shorter)
