"""Junctions: the places where the endpoints of line segments meet."""

import numpy as np


def merge_endpoints(lines: np.ndarray, *, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Merge the endpoints of segments that lie close to each other into junctions.

    Endpoints at a distance of at most ``radius`` belong together, and so do endpoints that are
    joined by a chain of such neighbours. These are the clusters of DBSCAN (Ester et al., KDD
    1996) with one sample as the minimum, which GlueStick (arXiv 2304.02008) uses.
    A segment of which both endpoints belong together is kept: it has the same junction twice.

    Args:
        lines: [L, 2, 2] px.
        radius: px; 0 merges equal endpoints only.

    Returns:
        The junctions [J, 2] px, each the mean of its endpoints, in the order in which their
        first endpoints occur; and the junctions of each line [L, 2] int64.
    """
    endpoints = lines.reshape(-1, 2)  # [2L, 2]
    labels = cluster_points(endpoints, radius=radius)  # [2L]
    return cluster_means(endpoints, labels), labels.reshape(-1, 2)


def cluster_points(points: np.ndarray, *, radius: float) -> np.ndarray:
    """Label the connected components of the graph that joins points within a radius.

    Args:
        points: [M, 2].
        radius: The largest distance of neighbours, in the unit of the points.

    Returns:
        [M] int64, the labels 0, 1, ... in the order of their first points.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import KDTree

    if len(points) == 0:
        return np.zeros(0, dtype=np.int64)
    places, place_of = np.unique(points, axis=0, return_inverse=True)
    neighbours = KDTree(places).query_pairs(radius, output_type="ndarray")  # [K, 2]
    joined = np.ones(len(neighbours), dtype=bool)
    graph = coo_array((joined, neighbours.T), shape=(len(places), len(places)))
    _, components = connected_components(graph, directed=False)
    _, first, labels = np.unique(
        components[place_of.reshape(-1)], return_index=True, return_inverse=True
    )
    return np.argsort(np.argsort(first))[labels.reshape(-1)]


def cluster_means(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Average values by label.

    Args:
        values: [M] or [M, C].
        labels: [M] int64, of which each number up to the largest occurs.

    Returns:
        [J] or [J, C], of the same type; sums are taken in float64.
    """
    counts = np.bincount(labels)
    sums = np.zeros((len(counts), *values.shape[1:]))
    np.add.at(sums, labels, values)
    means = sums / counts.reshape(-1, *[1] * (values.ndim - 1))
    return means.astype(values.dtype)


def nearest_distances(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the distance of each point to the nearest of other points.

    Args:
        points: [N, 2].
        others: [M, 2].

    Returns:
        [N] float64, infinite where there are no others.
    """
    from scipy.spatial import KDTree

    if len(others) == 0:
        return np.full(len(points), np.inf)
    distances, _ = KDTree(others).query(points)
    return distances


def line_edges(line_junctions: np.ndarray) -> np.ndarray:
    """Return the edges that lines make between junctions.

    Args:
        line_junctions: [L, 2] int64.

    Returns:
        [2, E] int64 with both directions of every line, sorted, without duplicates and
        self-loops.
    """
    both = np.concatenate([line_junctions, line_junctions[:, ::-1]])
    edges = np.unique(both[both[:, 0] != both[:, 1]], axis=0)  # [E, 2]
    return np.ascontiguousarray(edges.T)
