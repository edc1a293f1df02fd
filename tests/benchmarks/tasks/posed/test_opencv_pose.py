import numpy as np
import pytest
from posed_scenes import CAMERA, POSE, points_in_space, projections

from gluestick.benchmarks.tasks.posed.opencv_pose import normalized, opencv_relative_pose
from gluestick.supervision.geometry_metrics import relative_pose_error


def estimate_error(points0: np.ndarray, points1: np.ndarray, max_error: float = 0.5) -> float:
    pose = opencv_relative_pose(points0, points1, CAMERA, CAMERA, max_error=max_error)
    assert pose is not None
    return float(max(relative_pose_error(pose.R, pose.t, POSE.R, POSE.t)))


def test_pose_with_outliers() -> None:
    points0, points1 = projections(points_in_space(150))
    rng = np.random.default_rng(0)
    points1[::3] = rng.uniform(0, 120, size=points1[::3].shape)
    assert estimate_error(points0, points1) < 2


def test_the_threshold_is_in_pixels() -> None:
    """Matches that are 3 px off are inliers only beyond that."""
    points0, points1 = projections(points_in_space(150))
    rng = np.random.default_rng(0)
    noisy = points1 + rng.choice([-3, 3], size=points1.shape)
    strict = opencv_relative_pose(points0, noisy, CAMERA, CAMERA, max_error=0.05)
    assert strict is None or relative_pose_error(strict.R, strict.t, POSE.R, POSE.t)[1] > 2
    assert estimate_error(points0, noisy, max_error=5.0) < 30


def test_same_input_gives_same_output() -> None:
    points0, points1 = projections(points_in_space(60))
    points1[::2] += 7
    assert estimate_error(points0, points1) == estimate_error(points0, points1)


@pytest.mark.parametrize("number", [0, 1, 4])
def test_too_few_matches(number: int) -> None:
    points0, points1 = projections(points_in_space(number))
    assert opencv_relative_pose(points0, points1, CAMERA, CAMERA, max_error=1.0) is None


def test_the_threshold_needs_to_be_positive() -> None:
    points = np.zeros((8, 2))
    with pytest.raises(ValueError, match="max_error"):
        opencv_relative_pose(points, points, CAMERA, CAMERA, max_error=0.0)


def test_normalized_coordinates() -> None:
    rays = normalized(np.array([[76, 63], [226, 203]], dtype=np.float32), CAMERA)
    np.testing.assert_allclose(rays, [[0, 0], [1, 1]])
