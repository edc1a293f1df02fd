"""Matches that say the same: one of them stands for all."""

import numpy as np

from gluestick.geometry.lines import line_lengths


def point_representatives(*positions: np.ndarray, radius: float) -> np.ndarray:
    """Return which match stands for each, itself where it is no copy of an earlier one.

    A copy is a match that lies within the radius of another in every image, in x and in y.

    Args:
        positions: [N, D] in each image, or in the world.
        radius: A length, at least 0.

    Returns:
        [N] int64.
    """
    return _representatives(np.concatenate(positions, axis=1), radius)


def line_representatives(*lines: np.ndarray, radius: float) -> np.ndarray:
    """Return which matched line stands for each; the order of endpoints does not matter.

    Args:
        lines: [M, 2, D] in each image, or in the world.
        radius: A length, at least 0; see :func:`point_representatives`.

    Returns:
        [M] int64.
    """
    return _representatives(np.concatenate([_shape(each) for each in lines], axis=1), radius)


def distinct(representatives: np.ndarray) -> np.ndarray:
    """Return the indices [K] of the matches that stand for themselves, in their order."""
    return np.flatnonzero(representatives == np.arange(len(representatives)))


def spread_to_copies(
    mask: np.ndarray, representatives: np.ndarray, *, agreeing: np.ndarray
) -> np.ndarray:
    """Return which of all matches are inliers if it is known of the distinct ones.

    Args:
        mask: [K] bool, which of the distinct matches are inliers.
        representatives: [N] int64.
        agreeing: [N] bool, whether the own error of each match is small enough; asked of copies
            only.

    Returns:
        [N] bool.
    """
    chosen = distinct(representatives)
    inliers = np.zeros(len(representatives), dtype=bool)
    inliers[chosen] = mask
    copies = np.ones(len(representatives), dtype=bool)
    copies[chosen] = False
    inliers[copies] = inliers[representatives[copies]] & agreeing[copies]
    return inliers


def _shape(lines: np.ndarray) -> np.ndarray:
    """Return [M, D + D (D + 1) / 2] lengths that the order of the endpoints does not change."""
    direction = lines[:, 1] - lines[:, 0]
    direction = direction / np.sqrt(np.maximum(line_lengths(lines), 1e-12))[:, None]
    rows, columns = np.triu_indices(lines.shape[2])
    return np.concatenate([lines.mean(1), direction[:, rows] * direction[:, columns]], axis=1)


def _representatives(values: np.ndarray, radius: float) -> np.ndarray:
    from scipy.spatial import cKDTree

    # Exact copies first: their pairs would be too many.
    _, first, group = np.unique(values, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    first = first[order]
    pairs = cKDTree(values[first]).query_pairs(radius, p=np.inf, output_type="ndarray")
    standing = np.arange(len(first))
    if len(pairs):
        pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
        starts = np.searchsorted(pairs[:, 0], np.arange(len(first) + 1))
        for index in np.unique(pairs[:, 0]):
            if standing[index] == index:
                later = pairs[starts[index] : starts[index + 1], 1]
                standing[later[standing[later] == later]] = index
    rank = np.empty(len(first), dtype=np.int64)
    rank[order] = np.arange(len(first))
    return first[standing[rank[group.reshape(-1)]]]
