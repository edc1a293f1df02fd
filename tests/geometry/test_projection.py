import numpy as np
import pytest

from gluestick.geometry.projection import project_points
from gluestick.types import Camera, Pose

CAMERA = Camera(K=np.array([[100.0, 0, 50], [0, 200, 60], [0, 0, 1]]))


def test_values():
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    pose = Pose(R=turn, t=np.array([0.0, 0, 2]))
    positions, depth = project_points(np.array([[1.0, 2, 2], [0, 0, -3]]), pose, CAMERA)
    np.testing.assert_allclose(positions[0], [50 + 100 * -2 / 4, 60 + 200 * 1 / 4])
    np.testing.assert_allclose(depth, [4, -1])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (4, 2, 3)])
def test_shapes(shape):
    origin = Pose(R=np.eye(3), t=np.zeros(3))
    positions, depth = project_points(np.zeros(shape), origin, CAMERA)
    assert positions.shape == (*shape[:-1], 2)
    assert depth.shape == shape[:-1]
