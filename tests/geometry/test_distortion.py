import cv2
import numpy as np
import pytest

from gluestick.estimation import estimate_absolute_pose, estimate_relative_pose
from gluestick.geometry.distortion import distort_points, undistort_points
from gluestick.geometry.projection import project_points
from gluestick.types import Camera, Pose

K = np.array([[500.0, 0, 320], [0, 510.0, 240], [0, 0, 1]])
LENSES = [(-0.3,), (0.2, -0.05), (-0.25, 0.1, 1e-3, -2e-3), (-0.3, 0.15, 1e-3, 2e-3, -0.03)]
STILL = Pose(R=np.eye(3), t=np.zeros(3))


def grid() -> np.ndarray:
    x, y = np.meshgrid(np.linspace(0, 640, 9), np.linspace(0, 480, 7))
    return np.stack([x, y], axis=-1)


@pytest.mark.parametrize("distortion", LENSES)
def test_points_move_as_opencv_moves_them(distortion: tuple[float, ...]) -> None:
    camera = Camera(K=K, distortion=distortion)
    points = grid()
    rays = (points.reshape(-1, 2) - K[:2, 2]) / np.diag(K)[:2]
    space = np.concatenate([rays, np.ones((len(rays), 1))], axis=1)
    expected, _ = cv2.projectPoints(space, np.zeros(3), np.zeros(3), K, np.array(camera.distortion))
    np.testing.assert_allclose(
        distort_points(points, camera).reshape(-1, 2), expected[:, 0], atol=1e-9
    )
    np.testing.assert_allclose(project_points(space, STILL, camera)[0], expected[:, 0], atol=1e-9)


@pytest.mark.parametrize("distortion", LENSES)
def test_undistorting_is_the_way_back(distortion: tuple[float, ...]) -> None:
    camera = Camera(K=K, distortion=distortion)
    points = grid()
    back = undistort_points(distort_points(points, camera), camera)
    np.testing.assert_allclose(back, points, atol=1e-6)


def test_nothing_moves_without_distortion() -> None:
    points = grid()
    assert undistort_points(points, Camera(K=K)) is points
    assert distort_points(points, Camera(K=K)) is points
    assert undistort_points(np.zeros((0, 2)), Camera(K=K, distortion=(0.1,))).shape == (0, 2)


def test_poses_are_estimated_without_the_distortion() -> None:
    rng = np.random.default_rng(0)
    space = np.concatenate([rng.uniform(-2, 2, (200, 2)), rng.uniform(3, 8, (200, 1))], axis=1)
    angle = 0.1
    R = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    pose = Pose(R=R, t=np.array([-1.0, 0, 0]))
    lens = Camera(K=K, distortion=(-0.25, 0.08, 1e-3, -1e-3))
    points0, points1 = (project_points(space, motion, lens)[0] for motion in (STILL, pose))

    relative = estimate_relative_pose(points0, points1, lens, lens)
    assert relative is not None
    assert relative.point_inliers.all()
    np.testing.assert_allclose(relative.pose_0to1.R, R, atol=1e-4)
    without = estimate_relative_pose(points0, points1, K, K)
    assert without is not None
    assert np.abs(without.pose_0to1.R - R).max() > 0.01

    lines = space[:100].reshape(50, 2, 3)
    absolute = estimate_absolute_pose(
        points1[100:], space[100:], lens, points1[:100].reshape(50, 2, 2), lines
    )
    assert absolute is not None
    assert absolute.point_inliers.all()
    assert absolute.line_inliers.all()
    np.testing.assert_allclose(absolute.cam_from_world.t, pose.t, atol=1e-4)
