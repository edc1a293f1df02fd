import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gluestick.geometry.epipolar import (
    epipolar_distance,
    essential_from_pose,
    fundamental_from_essential,
)
from gluestick.geometry.projection import project_points
from gluestick.types import Camera, Pose

CAMERA0 = Camera(K=np.array([[500.0, 0, 320], [0, 510, 240], [0, 0, 1]]))
CAMERA1 = Camera(K=np.array([[700.0, 0, 300], [0, 700, 250], [0, 0, 1]]))
POSE = Pose(R=Rotation.from_rotvec([0.1, -0.2, 0.3]).as_matrix(), t=np.array([1.0, 0.2, -0.1]))
F = fundamental_from_essential(essential_from_pose(POSE), CAMERA0, CAMERA1)


def views(number):
    points = np.random.default_rng(0).uniform([-1, -1, 4], [1, 1, 6], (number, 3))
    origin = Pose(R=np.eye(3), t=np.zeros(3))
    return project_points(points, origin, CAMERA0)[0], project_points(points, POSE, CAMERA1)[0]


@pytest.mark.parametrize("number", [0, 1, 20])
def test_projections_of_one_point_have_no_distance(number):
    distances = epipolar_distance(F, *views(number))
    assert distances.shape == (number,)
    np.testing.assert_allclose(distances, 0, atol=1e-9)


def test_essential_matrix_has_two_equal_singular_values():
    values = np.linalg.svd(essential_from_pose(POSE), compute_uv=False)
    np.testing.assert_allclose(
        values, [np.linalg.norm(POSE.t), np.linalg.norm(POSE.t), 0], atol=1e-9
    )


def test_distance_is_shared_between_rectified_images():
    """A vertical offset d is undone by moving both points by d / 2, together d / sqrt(2)."""
    rectified = np.array([[0.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    distance = epipolar_distance(rectified, np.array([[10.0, 20]]), np.array([[4.0, 23]]))
    assert distance == pytest.approx(3 / np.sqrt(2))
