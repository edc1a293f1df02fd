import numpy as np
import pytest

from gluestick.wireframe.junctions import (
    cluster_means,
    cluster_points,
    line_edges,
    merge_endpoints,
    nearest_distances,
)


def components_by_flooding(points: np.ndarray, radius: float) -> list[int]:
    labels = [-1] * len(points)
    for start in range(len(points)):
        if labels[start] < 0:
            label, stack = max(labels) + 1, [start]
            while stack:
                index = stack.pop()
                labels[index] = label
                near = np.linalg.norm(points - points[index], axis=1) <= radius
                stack += [int(i) for i in np.flatnonzero(near) if labels[i] < 0]
    return labels


@pytest.mark.parametrize("seed", range(5))
def test_clusters_are_connected_components_in_order_of_appearance(seed: int) -> None:
    points = np.random.default_rng(seed).uniform(0, 60, (120, 2))
    labels = cluster_points(points, radius=3.0)
    assert labels.tolist() == components_by_flooding(points, 3.0)
    assert 20 < labels.max() < 119


def test_clusters_are_transitive_and_include_the_radius() -> None:
    chain = np.array([[9.0, 0], [0.0, 0], [3.0, 0], [50.0, 0], [6.0, 0]])
    assert cluster_points(chain, radius=3.0).tolist() == [0, 0, 0, 1, 0]
    assert cluster_points(chain, radius=2.999).tolist() == [0, 1, 2, 3, 4]


def test_radius_zero_merges_equal_points_only() -> None:
    points = np.array([[1.0, 1], [1, 1], [1, 1.001], [0, 0]])
    assert cluster_points(points, radius=0.0).tolist() == [0, 0, 1, 2]


def test_many_equal_points_are_cheap() -> None:
    assert cluster_points(np.zeros((200_000, 2)), radius=3.0).max() == 0


def test_junctions_are_means_of_endpoints() -> None:
    lines = np.array([[[0, 0], [10, 0]], [[10, 2], [20, 20]], [[30, 30], [0, 2]]], np.float32)
    junctions, line_junctions = merge_endpoints(lines, radius=3.0)
    assert junctions.tolist() == [[0, 1], [10, 1], [20, 20], [30, 30]]
    assert line_junctions.tolist() == [[0, 1], [1, 2], [3, 0]]


def test_a_short_line_keeps_one_junction_twice() -> None:
    junctions, line_junctions = merge_endpoints(np.array([[[0.0, 0], [2, 0]]]), radius=3.0)
    assert junctions.tolist() == [[1, 0]]
    assert line_junctions.tolist() == [[0, 0]]


def test_no_lines() -> None:
    junctions, line_junctions = merge_endpoints(np.zeros((0, 2, 2), np.float32), radius=3.0)
    assert junctions.shape == (0, 2)
    assert line_junctions.shape == (0, 2)
    assert line_edges(line_junctions).shape == (2, 0)


def test_means_of_scalars_and_vectors() -> None:
    labels = np.array([1, 0, 1])
    assert cluster_means(np.array([1.0, 5.0, 3.0]), labels).tolist() == [5, 2]
    vectors = np.array([[1.0, 0], [5, 5], [3, 2]])
    assert cluster_means(vectors, labels).tolist() == [[5, 5], [2, 1]]


def test_edges_go_both_ways_once_without_loops() -> None:
    edges = line_edges(np.array([[0, 1], [1, 0], [0, 1], [2, 2], [3, 1]]))
    assert edges.dtype == np.int64
    assert edges.T.tolist() == [[0, 1], [1, 0], [1, 3], [3, 1]]


def test_nearest_distances() -> None:
    points = np.array([[0.0, 0], [10, 0]], np.float32)
    others = np.array([[3.0, 4], [10, 1], [90, 90]], np.float32)
    assert nearest_distances(points, others).tolist() == [5, 1]
    assert nearest_distances(points, others[:0]).tolist() == [np.inf, np.inf]
    assert nearest_distances(points[:0], others).shape == (0,)
