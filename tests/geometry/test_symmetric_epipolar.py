import numpy as np
import pytest
import torch

from gluestick.geometry.epipolar import (
    essential_from_pose,
    fundamental_from_essential,
    symmetric_epipolar_distance,
    symmetric_epipolar_distance_matrix,
)
from gluestick.types import Camera, Pose

CAMERA = Camera(K=np.array([[500.0, 0.0, 320.0], [0.0, 510.0, 240.0], [0.0, 0.0, 1.0]]))
SIDEWAYS = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


def turned(degrees: float) -> Pose:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    R = np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
    return Pose(R=R, t=np.array([0.5, -0.2, 0.1]))


def fundamental(degrees: float) -> np.ndarray:
    return fundamental_from_essential(essential_from_pose(turned(degrees)), CAMERA, CAMERA)


@pytest.fixture
def views() -> tuple[np.ndarray, np.ndarray]:
    """The same 20 points in two images, the second turned by 10 degrees, px."""
    X0 = np.random.default_rng(0).uniform([-1, -1, 3], [1, 1, 6], (20, 3))
    X1 = X0 @ turned(10).R.T + turned(10).t
    points0, points1 = (X @ CAMERA.K.T for X in (X0, X1))
    return points0[:, :2] / points0[:, 2:], points1[:, :2] / points1[:, 2:]


def test_true_matches_have_no_distance(views: tuple[np.ndarray, np.ndarray]) -> None:
    distance = symmetric_epipolar_distance(*views, fundamental(10))
    assert distance == pytest.approx(np.zeros(20), abs=1e-9)


def test_distance_is_measured_across_epipolar_lines() -> None:
    pair = np.array([[0.0, 0.0], [5.0, 2.0]]), np.array([[7.0, 3.0], [1.0, 2.0]])
    assert symmetric_epipolar_distance(*pair, SIDEWAYS).tolist() == [3.0, 0.0]
    assert symmetric_epipolar_distance(*pair, SIDEWAYS, squared=True).tolist() == [18.0, 0.0]
    matrix = symmetric_epipolar_distance_matrix(*pair, SIDEWAYS)
    assert matrix.tolist() == [[3.0, 2.0], [1.0, 0.0]]


def test_scale_of_the_matrix_does_not_matter(views: tuple[np.ndarray, np.ndarray]) -> None:
    F = fundamental(12)
    distance = symmetric_epipolar_distance(*views, F)
    assert distance.min() > 0
    assert symmetric_epipolar_distance(*views, -1e-6 * F) == pytest.approx(distance)


def test_tensors_in_batches(views: tuple[np.ndarray, np.ndarray]) -> None:
    F = np.stack([fundamental(10), fundamental(12)])
    expected = np.stack([symmetric_epipolar_distance_matrix(*views, each) for each in F])
    points0, points1 = (torch.from_numpy(points).expand(2, -1, -1) for points in views)
    matrix = symmetric_epipolar_distance_matrix(points0, points1, torch.from_numpy(F))
    assert matrix.numpy() == pytest.approx(expected)
    paired = symmetric_epipolar_distance(points0, points1, torch.from_numpy(F))
    assert paired.numpy() == pytest.approx(matrix.diagonal(dim1=1, dim2=2).numpy())
    nothing = symmetric_epipolar_distance(points0[:, :0], points1[:, :0], torch.from_numpy(F))
    assert nothing.shape == (2, 0)
