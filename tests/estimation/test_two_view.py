import numpy as np
import pytest
import torch

from gluestick.estimation import estimate_two_view_geometry
from gluestick.geometry.projection import project_points
from gluestick.types import Camera, Pose

pytestmark = pytest.mark.filterwarnings("error")


def estimate(scene, **options):
    lines = (scene.lines0, scene.lines1) if hasattr(scene, "lines0") else ()
    return estimate_two_view_geometry(scene.points0, scene.points1, *lines, **options)


def test_a_plane_is_explained_by_a_homography(planar_scene):
    for seed in range(5):
        scene = planar_scene(seed, points=200, lines=60)
        found = estimate(scene)
        assert found.model == "homography"
        assert found.trusted
        assert found.fundamental is not None
        assert found.point_inliers is found.homography.point_inliers
        assert found.line_inliers is found.homography.line_inliers
        assert found.log10_false_alarms == pytest.approx(
            found.homography.log10_false_alarms + np.log10(2)
        )


def test_a_cloud_of_points_is_explained_by_epipolar_geometry(spatial_scene):
    for seed in range(5):
        found = estimate(spatial_scene(seed, points=300))
        assert found.model == "fundamental"
        assert found.trusted
        assert found.point_inliers is found.fundamental.point_inliers
        assert found.line_inliers is None
        assert found.relative_pose is None


def test_a_plane_with_something_in_front_is_epipolar(spatial_scene):
    """Most matches lie on a plane of the scene, the rest beyond."""
    rng = np.random.default_rng(0)
    scene = spatial_scene(3, points=100)
    plane3d = rng.uniform([-2, -2, 6], [2, 2, 6], (300, 3))
    origin = Pose(R=np.eye(3), t=np.zeros(3))
    plane0, _ = project_points(plane3d, origin, scene.camera0)
    plane1, _ = project_points(plane3d, scene.pose, scene.camera1)
    points0, points1 = (
        np.concatenate([plane + rng.normal(0, 0.5, plane.shape), points[scene.point_inliers]])
        for plane, points in ((plane0, scene.points0), (plane1, scene.points1))
    )
    found = estimate_two_view_geometry(points0, points1)
    assert found.homography.trusted
    assert found.model == "fundamental"
    assert found.point_inliers.sum() > 320
    on_the_plane = estimate_two_view_geometry(points0[:300], points1[:300])
    assert on_the_plane.model == "homography"


def test_cameras_give_the_relative_pose(spatial_scene):
    scene = spatial_scene(0, points=300)
    found = estimate(scene, camera0=scene.camera0, camera1=scene.camera1.K)
    assert found.model == "fundamental"
    direction = found.relative_pose.pose_0to1.t @ scene.pose.t / np.linalg.norm(scene.pose.t)
    assert direction > 0.99
    K0, K1 = scene.camera0.K, scene.camera1.K
    F = np.linalg.inv(K1).T @ found.relative_pose.E_0to1 @ np.linalg.inv(K0)
    np.testing.assert_allclose(found.fundamental.F_0to1, F / np.linalg.norm(F), atol=1e-12)
    assert np.linalg.norm(found.fundamental.F_0to1) == pytest.approx(1)


@pytest.mark.parametrize("number", [0, 3, 200])
def test_random_matches_are_not_trusted(number):
    rng = np.random.default_rng(0)
    points0, points1 = rng.uniform(0, 1, (2, number, 2)) * [640, 480]
    lines0, lines1 = rng.uniform(0, 1, (2, number // 4, 2, 2)) * [640, 480]
    found = estimate_two_view_geometry(points0, points1, lines0, lines1)
    assert not found.trusted
    if number < 4:
        assert found.model is None
        assert found.log10_false_alarms == np.inf
        assert found.point_inliers is None
        assert found.line_inliers is None


def test_solvers_by_name(planar_scene):
    scene = planar_scene(0, points=200)
    for solver in ("poselib", "magsac"):
        found = estimate(scene, homography_solver=solver, fundamental_solver=solver)
        assert found.model == "homography"
        assert found.trusted


def test_takes_tensors(planar_scene):
    scene = planar_scene(0, points=100, lines=30)
    arrays = (scene.points0, scene.points1, scene.lines0, scene.lines1)
    found = estimate_two_view_geometry(*(torch.tensor(a, requires_grad=True) for a in arrays))
    np.testing.assert_allclose(found.homography.H_0to1, estimate(scene).homography.H_0to1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"camera0": Camera(K=np.eye(3))}, "both camera0 and camera1"),
        ({"points0": np.zeros((4, 3))}, "points0"),
        ({"lines0": np.zeros((2, 2, 2))}, "both lines0 and lines1"),
        ({"max_error": 0}, "max_error"),
        ({"homography_solver": "ransac"}, "solver among gluestick, poselib, magsac"),
        ({"fundamental_solver": "ransac"}, "solver among poselib, magsac"),
    ],
)
def test_bad_input(change, message):
    arguments = {"points0": np.zeros((9, 2)), "points1": np.zeros((9, 2))}
    with pytest.raises(ValueError, match=message):
        estimate_two_view_geometry(**(arguments | change))
