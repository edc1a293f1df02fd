import numpy as np
import pytest
import torch

from gluestick.estimation import estimate_relative_pose
from gluestick.types import Camera

pytestmark = pytest.mark.filterwarnings("error")


def estimate(scene, **options):
    return estimate_relative_pose(
        scene.points0, scene.points1, scene.camera0, scene.camera1, **options
    )


def angles(pose, true) -> tuple[float, float]:
    """Of the rotation and between the directions of translation, in degrees."""
    rotation = np.arccos(np.clip((np.trace(pose.R @ true.R.T) - 1) / 2, -1, 1))
    direction = pose.t @ true.t / np.linalg.norm(pose.t) / np.linalg.norm(true.t)
    return np.degrees(rotation), np.degrees(np.arccos(np.clip(direction, -1, 1)))


def test_half_the_matches_wrong(spatial_scene):
    """Median over 10 scenes of 300 points at 0.5 px noise: 0.3 and 2 degrees."""
    scenes = [spatial_scene(seed, points=300) for seed in range(10)]
    estimates = [estimate(scene) for scene in scenes]
    errors = [angles(e.pose_0to1, s.pose) for e, s in zip(estimates, scenes, strict=True)]
    assert (np.median(errors, axis=0) < [0.3, 2]).all()
    for estimated, scene in zip(estimates, scenes, strict=True):
        found, true = estimated.point_inliers, scene.point_inliers
        assert (found & true).sum() >= 0.85 * true.sum()
        assert (found & ~true).sum() <= 0.08 * true.sum()


def test_form_of_the_result(spatial_scene):
    estimated = estimate(spatial_scene(0, points=100))
    R, t = estimated.pose_0to1.R, estimated.pose_0to1.t
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-9)
    assert np.linalg.norm(t) == pytest.approx(1)
    assert estimated.point_inliers.dtype == bool
    assert estimated.point_inliers.shape == (100,)


def test_swapped_images_give_the_inverse(spatial_scene):
    scene = spatial_scene(1, points=300)
    forward = estimate(scene).pose_0to1
    backward = estimate_relative_pose(
        scene.points1, scene.points0, scene.camera1, scene.camera0
    ).pose_0to1
    np.testing.assert_allclose(forward.R, backward.R.T, atol=5e-3)
    np.testing.assert_allclose(forward.t, -backward.R.T @ backward.t, atol=5e-2)


def test_deterministic_and_from_tensors(spatial_scene):
    scene = spatial_scene(2, points=100)
    first = estimate(scene, seed=3)
    for name in ("points0", "points1"):
        setattr(scene, name, torch.tensor(getattr(scene, name), requires_grad=True))
    second = estimate(scene, seed=3)
    np.testing.assert_allclose(first.pose_0to1.R, second.pose_0to1.R, atol=1e-9)
    assert np.array_equal(first.point_inliers, second.point_inliers)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_too_few_matches(spatial_scene, count):
    assert estimate(spatial_scene(0, points=count)) is None


def test_degenerate_matches(spatial_scene):
    scene = spatial_scene(0, points=1)
    line = np.linspace(0, 1, 50)[:, None] * [300, 200]
    for points in (np.ones((50, 2)), line):
        found = estimate_relative_pose(points, points, scene.camera0, scene.camera1)
        assert found is None


def test_verdicts(spatial_scene):
    for seed in range(3):
        scene = spatial_scene(seed, points=200)
        assert estimate(scene).trusted is True
        scene.points0, scene.points1 = np.random.default_rng(seed).uniform(0, 1, (2, 200, 2)) * [
            640,
            480,
        ]
        chance = estimate(scene, max_iterations=20_000)
        assert chance is None or (chance.trusted is False and chance.log10_false_alarms > -2)


def test_calibration_as_a_plain_matrix_and_essential_matrix(spatial_scene):
    scene = spatial_scene(1, points=100, noise=0)
    expected = estimate(scene)
    found = estimate_relative_pose(
        scene.points0, scene.points1, torch.tensor(scene.camera0.K), scene.camera1.K
    )
    np.testing.assert_allclose(found.pose_0to1.R, expected.pose_0to1.R)
    rays0, rays1 = (
        np.linalg.solve(K, np.concatenate([points, np.ones((100, 1))], axis=1).T).T
        for K, points in ((scene.camera0.K, scene.points0), (scene.camera1.K, scene.points1))
    )
    products = ((rays1 @ found.E_0to1) * rays0).sum(1)
    np.testing.assert_allclose(products[scene.point_inliers], 0, atol=1e-6)


def test_copies_count_once(spatial_scene):
    scene = spatial_scene(0, points=60, noise=0.1)
    true = scene.point_inliers
    scene.points0, scene.points1 = (
        np.concatenate([points[true], np.repeat([copy], 300, axis=0)])
        for points, copy in ((scene.points0, [100.0, 100]), (scene.points1, [500.0, 50]))
    )
    found = estimate(scene)
    assert found.point_inliers[: true.sum()].mean() > 0.9
    assert found.trusted


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points0": np.zeros((9, 3))}, "points0"),
        ({"points1": np.zeros((8, 2))}, "points1"),
        ({"points0": np.full((9, 2), np.nan)}, "finite"),
        ({"camera0": Camera(K=np.zeros((3, 3)))}, "K of the form"),
        ({"max_error": -1}, "max_error"),
    ],
)
def test_bad_input(spatial_scene, change, message):
    scene = spatial_scene(0, points=9)
    names = ("points0", "points1", "camera0", "camera1")
    arguments = {name: getattr(scene, name) for name in names}
    with pytest.raises(ValueError, match=message):
        estimate_relative_pose(**(arguments | change))
