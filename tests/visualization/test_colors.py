import numpy as np

from gluestick.visualization.colors import neighbor_colors, position_colors


def test_position_colors_change_smoothly_and_differ_across_the_image():
    corners = np.array([[0, 0], [99, 0], [0, 49], [99, 49]])
    colors = position_colors(corners, (100, 50)).astype(int)
    apart = np.abs(colors[:, None] - colors[None]).sum(-1)[np.triu_indices(4, 1)]
    assert apart.min() > 80
    near = position_colors(np.array([[50, 25], [50.5, 25]]), (100, 50)).astype(int)
    assert np.abs(near[0] - near[1]).max() < 10


def test_position_colors_outside_and_in_one_pixel():
    assert position_colors(np.array([[-5.0, 1e9]]), (1, 1)).shape == (1, 3)
    assert position_colors(np.zeros((0, 2)), (10, 10)).shape == (0, 3)


def test_neighbors_differ():
    points = np.random.default_rng(0).uniform(0, 100, (200, 2))
    colors = neighbor_colors(points)
    assert len(np.unique(colors, axis=0)) == 14
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1) + 1e9 * np.eye(200)
    same = (colors[:, None] == colors[None]).all(-1)
    assert distances[same].min() > 2 * np.median(distances.min(axis=1))
    assert neighbor_colors(np.zeros((0, 2))).shape == (0, 3)
    assert len(np.unique(neighbor_colors(np.zeros((3, 2))), axis=0)) == 3
