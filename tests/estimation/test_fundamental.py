import numpy as np
import pytest
import torch

from gluestick.estimation import estimate_fundamental
from gluestick.geometry.epipolar import (
    epipolar_distance,
    essential_from_pose,
    fundamental_from_essential,
)

pytestmark = pytest.mark.filterwarnings("error")


def true_fundamental(scene):
    return fundamental_from_essential(essential_from_pose(scene.pose), scene.camera0, scene.camera1)


def test_half_the_matches_wrong(spatial_scene):
    """At 0.5 px noise, the true matches fit to 1 px in the mean over each of 10 scenes."""
    for seed in range(10):
        scene = spatial_scene(seed, points=300)
        estimated = estimate_fundamental(scene.points0, scene.points1)
        true = scene.point_inliers
        distances = epipolar_distance(estimated.F_0to1, scene.points0, scene.points1)
        assert distances[true].mean() < 1
        assert (estimated.point_inliers & true).sum() >= 0.85 * true.sum()
        assert (estimated.point_inliers & ~true).sum() <= 0.08 * true.sum()


def test_noiseless_matches_give_the_matrix(spatial_scene):
    scene = spatial_scene(0, points=200, noise=0)
    true = scene.point_inliers
    estimated = estimate_fundamental(scene.points0[true], scene.points1[true]).F_0to1
    expected = true_fundamental(scene)
    cosine = np.sum(estimated * expected) / np.linalg.norm(expected)
    assert abs(cosine) == pytest.approx(1, abs=1e-12)


def test_form_of_the_result(spatial_scene):
    scene = spatial_scene(0, points=100)
    F = estimate_fundamental(scene.points0, scene.points1).F_0to1
    assert np.linalg.norm(F) == pytest.approx(1)
    assert np.linalg.svd(F, compute_uv=False)[-1] < 1e-9


def test_deterministic_and_from_tensors(spatial_scene):
    scene = spatial_scene(2, points=100)
    first = estimate_fundamental(scene.points0, scene.points1, seed=3)
    second = estimate_fundamental(
        torch.tensor(scene.points0, requires_grad=True), torch.tensor(scene.points1), seed=3
    )
    np.testing.assert_allclose(first.F_0to1, second.F_0to1, atol=1e-9)


@pytest.mark.parametrize("count", [0, 1, 7])
def test_too_few_matches(spatial_scene, count):
    scene = spatial_scene(0, points=count)
    assert estimate_fundamental(scene.points0, scene.points1) is None


def test_degenerate_matches():
    line = np.linspace(0, 1, 50)[:, None] * [300, 200]
    for points in (np.ones((50, 2)), line):
        assert estimate_fundamental(points, points) is None


@pytest.mark.parametrize("solver", ["poselib", "magsac"])
def test_verdicts(spatial_scene, solver):
    for seed in range(3):
        scene = spatial_scene(seed, points=200)
        found = estimate_fundamental(scene.points0, scene.points1, solver=solver)
        assert found.trusted is True
        points0, points1 = np.random.default_rng(seed).uniform(0, 1, (2, 200, 2)) * [640, 480]
        chance = estimate_fundamental(points0, points1, solver=solver, max_iterations=20_000)
        assert chance is None or (chance.trusted is False and chance.log10_false_alarms > -2)


def test_magsac(spatial_scene):
    scene = spatial_scene(0, points=300)
    found = estimate_fundamental(scene.points0, scene.points1, solver="magsac")
    assert np.linalg.norm(found.F_0to1) == pytest.approx(1)
    true = scene.point_inliers
    assert (found.point_inliers & true).sum() >= 0.85 * true.sum()
    again = estimate_fundamental(scene.points0, scene.points1, solver="magsac")
    np.testing.assert_allclose(found.F_0to1, again.F_0to1, atol=1e-9)
    assert estimate_fundamental(*np.ones((2, 50, 2)), solver="magsac") is None


@pytest.mark.parametrize("solver", ["poselib", "magsac"])
def test_copies_count_once(spatial_scene, solver):
    scene = spatial_scene(0, points=60, noise=0.1)
    true = scene.point_inliers
    wrong = np.repeat([[[100.0, 100]], [[500.0, 50]]], 300, axis=1)
    points0, points1 = (
        np.concatenate([points[true], copies])
        for points, copies in zip((scene.points0, scene.points1), wrong, strict=True)
    )
    found = estimate_fundamental(points0, points1, solver=solver)
    assert found.point_inliers[: true.sum()].mean() > 0.9
    assert found.trusted


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"solver": "ransac"}, "solver among poselib, magsac, found 'ransac'"),
        ({"points0": np.zeros((9, 3))}, "points0"),
        ({"points1": np.zeros((8, 2))}, "points1"),
        ({"points1": np.full((9, 2), np.inf)}, "finite"),
        ({"max_error": 0}, "max_error"),
    ],
)
def test_bad_input(change, message):
    arguments = {"points0": np.zeros((9, 2)), "points1": np.zeros((9, 2))}
    with pytest.raises(ValueError, match=message):
        estimate_fundamental(**(arguments | change))
