import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gluestick.estimation.absolute_refinement import (
    WorldMatches,
    line_errors,
    point_errors,
    refine_absolute_pose,
)
from gluestick.types import Camera, Pose


@pytest.fixture
def exact(spatial_scene):
    scene = spatial_scene(4, points=40, lines=20, noise=0.0)
    right = WorldMatches(
        points2d=scene.points1, points3d=scene.points3d, lines2d=scene.lines1, lines3d=scene.lines3d
    )
    return scene, right.take(scene.point_inliers, scene.line_inliers)


def moved(pose: Pose) -> Pose:
    turn = Rotation.from_rotvec([0.002, -0.001, 0.001]).as_matrix()
    return Pose(R=turn @ pose.R, t=pose.t + np.array([0.01, 0.0, -0.01]))


def test_errors_of_the_true_pose_are_zero(exact):
    scene, matches = exact
    frame = scene.pose, scene.camera1
    assert point_errors(*frame, matches.points2d, matches.points3d) == pytest.approx(0, abs=1e-9)
    assert line_errors(*frame, matches.lines2d, matches.lines3d) == pytest.approx(0, abs=1e-9)
    behind = Pose(R=np.diag([1.0, -1, -1]), t=np.zeros(3))
    seen = matches.points2d, matches.points3d
    assert np.isinf(point_errors(behind, scene.camera1, *seen)).all()


def test_a_pose_nearby_becomes_exact(exact):
    scene, matches = exact
    found = refine_absolute_pose(moved(scene.pose), scene.camera1, matches, max_error=8.0)
    np.testing.assert_allclose(found.cam_from_world.R, scene.pose.R, atol=1e-6)
    assert found.cam_from_world.t == pytest.approx(scene.pose.t, abs=1e-5)
    assert found.focal_length_deviation == 0


def test_the_focal_length_too_with_both_kinds(exact):
    scene, matches = exact
    K = scene.camera1.K * [[1.01, 1, 1], [1, 1.01, 1], [1, 1, 1]]
    found = refine_absolute_pose(
        moved(scene.pose), Camera(K=K), matches, max_error=12.0, refine_focal_length=True
    )
    np.testing.assert_allclose(found.camera.K, scene.camera1.K, rtol=1e-5)
    assert found.cam_from_world.t == pytest.approx(scene.pose.t, abs=1e-4)


def test_without_matches_the_pose_stays(exact):
    scene, matches = exact
    none = matches.take(np.zeros(0, int), np.zeros(0, int))
    found = refine_absolute_pose(scene.pose, scene.camera1, none, max_error=3.0)
    assert found.cam_from_world is scene.pose
