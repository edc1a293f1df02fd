import numpy as np
import pytest

from gluestick.estimation.planar.correspondences import Correspondences
from gluestick.estimation.planar.determinacy import is_determined

H = np.eye(3) / np.sqrt(3)
NO_POINTS = np.zeros((0, 2))
NO_LINES = np.zeros((0, 2, 2))


@pytest.mark.parametrize("height", [0.5, 0.02, 0.0])
def test_points_in_a_strip(height):
    """With noise of 0.005, a strip of height 0.02 still tells, a line does not."""
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, (200, 2)) * [1, height]
    first, second = (points + rng.normal(0, 0.005, points.shape) for _ in range(2))
    data = Correspondences.from_arrays(first, second, NO_LINES, NO_LINES)
    assert is_determined(H, data) == (height > 0)


@pytest.mark.parametrize("spread_of_angles", [1.0, 0.0])
def test_pencil_of_lines(spread_of_angles):
    rng = np.random.default_rng(0)
    middle, angle = rng.uniform(-1, 1, (200, 2)), spread_of_angles * rng.uniform(-1, 1, 200)
    half = 0.2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lines = np.stack([middle - half, middle + half], axis=1)
    first, second = (lines + rng.normal(0, 0.005, lines.shape) for _ in range(2))
    data = Correspondences.from_arrays(NO_POINTS, NO_POINTS, first, second)
    assert is_determined(H, data) == (spread_of_angles > 0)


def test_exact_data():
    square = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    data = Correspondences.from_arrays(square, square, NO_LINES, NO_LINES)
    assert is_determined(H, data)
    row = square * [1, 0]
    data = Correspondences.from_arrays(row, row, NO_LINES, NO_LINES)
    assert not is_determined(H, data)
