import numpy as np
import pytest
import torch

from gluestick.checks import ShapeError
from gluestick.supervision.geometry_metrics import (
    error_auc,
    precision_at,
    relative_pose_error,
    symmetric_homography_error,
    symmetric_reprojection_error,
)
from gluestick.supervision.reprojection import DepthPair

T = np.array([0.5, -0.2, 0.1])
SCALE = np.diag([2.0, 2.0, 1.0])


def rotation(degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


def test_area_of_simple_curves() -> None:
    assert error_auc(np.zeros(3), [1.0, 5.0]) == [1.0, 1.0]
    assert error_auc(np.array([7.0, np.inf, np.nan]), [5.0]) == [0.0]
    # Half of the curve rises from 0 to 1/2, the other half stays there.
    assert error_auc(np.array([1.0, 3.0]), [2.0]) == pytest.approx([0.375])
    assert error_auc(np.array([np.nan, 1.0]), [2.0]) == pytest.approx([0.375])


def test_area_is_not_rounded() -> None:
    assert error_auc(np.array([1 / 3]), [1.0])[0] == pytest.approx(5 / 6, abs=1e-12)


def test_area_without_errors_is_not_a_number() -> None:
    assert np.isnan(error_auc(np.zeros(0), [1.0, 3.0])).tolist() == [True, True]


def test_precision() -> None:
    assert precision_at(np.array([0.5, 1.0, 2.0, np.nan]), 1.0) == 0.25
    assert precision_at(np.zeros(0), 1.0) == 0.0


def test_pose_error() -> None:
    R_error, t_error = relative_pose_error(rotation(13), -3 * T, rotation(10), T)
    assert R_error == pytest.approx(3)
    assert t_error == pytest.approx(0, abs=1e-5)
    forward, turned = np.array([1.0, 0.0, 0.0]), rotation(40)[:, 0]
    assert relative_pose_error(rotation(0), turned, rotation(0), forward)[1] == pytest.approx(40)


def test_pose_error_in_batches_and_without_translation() -> None:
    R = np.stack([rotation(angle) for angle in (0, 5, 180)])
    t_estimated, t_true = np.array([T, 0 * T, T]), np.array([0 * T, T, T])
    R_error, t_error = relative_pose_error(R, t_estimated, np.eye(3), t_true)
    assert R_error == pytest.approx([0, 5, 180], abs=1e-5)
    assert t_error == pytest.approx([0, 90, 0], abs=1e-5)


def test_homography_error() -> None:
    points0, points1 = np.array([[10.0, 10.0], [3.0, 4.0]]), np.array([[24.0, 20.0], [6.0, 8.0]])
    assert symmetric_homography_error(points0, points1, SCALE).tolist() == [3.0, 0.0]
    batch = (torch.from_numpy(v).expand(2, -1, -1) for v in (points0, points1, SCALE))
    assert symmetric_homography_error(*batch).tolist() == [[3.0, 0.0]] * 2
    assert symmetric_homography_error(points0[:0], points1[:0], SCALE).shape == (0,)


def test_reprojection_error(wall_pair: DepthPair) -> None:
    points0 = torch.tensor([[[50.0, 40.0], [60.0, 40.0], [60.0, 40.0]]])
    points1 = torch.tensor([[[35.0, 40.0], [48.0, 44.0], [200.0, 40.0]]])
    errors = symmetric_reprojection_error(points0, points1, wall_pair)
    expected = torch.tensor([[0.0, 5.0, torch.nan]])
    torch.testing.assert_close(errors, expected, atol=1e-4, rtol=0, equal_nan=True)
    assert symmetric_reprojection_error(points0[:, :0], points1[:, :0], wall_pair).shape == (1, 0)
    with pytest.raises(ShapeError, match="points1 needs the shape"):
        symmetric_reprojection_error(points0, points1[:, :2], wall_pair)
