import numpy as np
import pytest
import torch

from gluestick.estimation import estimate_absolute_pose
from gluestick.geometry.projection import project_points
from gluestick.types import Camera

pytestmark = pytest.mark.filterwarnings("error")


def estimate(scene, **options):
    return estimate_absolute_pose(
        scene.points1, scene.points3d, scene.camera1, scene.lines1, scene.lines3d, **options
    )


def errors(pose, true) -> tuple[float, float]:
    """Of the rotation in degrees and of the camera centre."""
    rotation = np.arccos(np.clip((np.trace(pose.R @ true.R.T) - 1) / 2, -1, 1))
    return np.degrees(rotation), np.linalg.norm(pose.R.T @ pose.t - true.R.T @ true.t)


@pytest.mark.parametrize(("points", "lines"), [(300, 100), (15, 100), (0, 100), (100, 0)])
def test_half_the_matches_wrong(spatial_scene, points, lines):
    """10 scenes about 6 units away at 0.5 px noise: 0.2 degrees and 0.02 units in the median."""
    scenes = [spatial_scene(seed, points=points, lines=lines) for seed in range(10)]
    estimates = [estimate(scene) for scene in scenes]
    found = [errors(e.cam_from_world, s.pose) for e, s in zip(estimates, scenes, strict=True)]
    assert (np.median(found, axis=0) < [0.2, 0.02]).all()
    for estimated, scene in zip(estimates, scenes, strict=True):
        for mask, true in (
            (estimated.point_inliers, scene.point_inliers),
            (estimated.line_inliers, scene.line_inliers),
        ):
            assert (mask & true).sum() >= 0.9 * true.sum()
            assert (mask & ~true).sum() <= 0.02 * true.sum()


def test_threshold_is_on_the_sum_of_both_endpoint_distances(spatial_scene):
    scene = spatial_scene(0, points=300, lines=100, noise=0)
    ends, _ = project_points(scene.lines3d, scene.pose, scene.camera1)
    along = ends[:, 1] - ends[:, 0]
    across = along[:, ::-1] * [-1, 1] / np.linalg.norm(along, axis=1, keepdims=True)
    true = np.flatnonzero(scene.line_inliers)
    scene.lines1[true[0]] += 1.4 * across[true[0]]
    scene.lines1[true[1]] += 1.6 * across[true[1]]
    estimated = estimate(scene, max_error=3.0)
    assert estimated.line_inliers[true[0]]
    assert not estimated.line_inliers[true[1]]


def test_endpoints_need_not_correspond(spatial_scene):
    scene = spatial_scene(0, points=20, lines=60)
    first = estimate(scene)
    scene.lines1 = scene.lines1[:, ::-1].copy()
    second = estimate(scene)
    np.testing.assert_allclose(first.cam_from_world.R, second.cam_from_world.R, atol=1e-6)
    assert np.array_equal(first.line_inliers, second.line_inliers)


def test_lines_may_be_left_out(spatial_scene):
    scene = spatial_scene(0, points=100)
    estimated = estimate_absolute_pose(scene.points1, scene.points3d, scene.camera1)
    assert estimated.line_inliers.shape == (0,)
    assert errors(estimated.cam_from_world, scene.pose)[0] < 0.5


def test_deterministic_and_from_tensors(spatial_scene):
    scene = spatial_scene(2, points=50, lines=50)
    first = estimate(scene, seed=3)
    for name in ("points1", "points3d", "lines1", "lines3d"):
        setattr(scene, name, torch.tensor(getattr(scene, name), requires_grad=True))
    second = estimate(scene, seed=3)
    np.testing.assert_allclose(first.cam_from_world.R, second.cam_from_world.R, atol=1e-9)


@pytest.mark.parametrize(("points", "lines"), [(0, 0), (1, 0), (3, 0), (0, 3), (1, 2)])
def test_too_few_features(spatial_scene, points, lines):
    assert estimate(spatial_scene(0, points=points, lines=lines)) is None


def test_degenerate_matches(spatial_scene):
    camera = spatial_scene(0, points=1).camera1
    line = np.linspace(0, 1, 50)[:, None]
    for points2d, points3d in (
        (np.ones((50, 2)), np.ones((50, 3))),
        (line * [300, 200], line * [1, 1, 0] + [0, 0, 5]),
    ):
        assert estimate_absolute_pose(points2d, points3d, camera) is None


def test_lines_without_length_are_never_inliers(spatial_scene):
    scene = spatial_scene(0, points=20, lines=40)
    true = np.flatnonzero(scene.line_inliers)
    scene.lines1[true[0]] = scene.lines1[true[0], 0]
    scene.lines3d[true[1]] = scene.lines3d[true[1], 0]
    estimated = estimate(scene)
    assert errors(estimated.cam_from_world, scene.pose)[0] < 0.5
    assert not estimated.line_inliers[true[:2]].any()


@pytest.mark.parametrize(("points", "lines"), [(200, 0), (0, 100), (30, 30)])
def test_verdicts(spatial_scene, points, lines):
    for seed in range(3):
        scene = spatial_scene(seed, points=points, lines=lines)
        assert estimate(scene).trusted is True
        rng = np.random.default_rng(seed)
        scene.points1 = rng.uniform(0, 1, (points, 2)) * [640, 480]
        scene.lines1 = rng.uniform(0, 1, (lines, 2, 2)) * [640, 480]
        chance = estimate(scene)
        assert chance is None or (chance.trusted is False and chance.log10_false_alarms > -2)


def test_copies_count_once(spatial_scene):
    scene = spatial_scene(0, points=24, lines=20, noise=0.2)
    true = scene.point_inliers
    number = true.sum()
    copies = np.full((200, 2), 100.0), np.full((200, 3), [1.5, 1.5, 5.0])
    scene.points1, scene.points3d = (
        np.concatenate([values[true], copy])
        for values, copy in zip((scene.points1, scene.points3d), copies, strict=True)
    )
    estimated = estimate(scene)
    assert errors(estimated.cam_from_world, scene.pose)[0] < 1
    assert estimated.point_inliers[:number].all()
    assert not estimated.point_inliers[number:].any()
    again = np.tile(np.flatnonzero(scene.line_inliers), 20)
    scene.lines1, scene.lines3d = scene.lines1[again], scene.lines3d[again]
    assert estimate(scene).line_inliers.all()


def test_calibration_as_a_plain_matrix(spatial_scene):
    scene = spatial_scene(0, points=50)
    expected = estimate(scene)
    scene.camera1 = scene.camera1.K
    np.testing.assert_allclose(estimate(scene).cam_from_world.R, expected.cam_from_world.R)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points2d": np.zeros((9, 3))}, "points2d"),
        ({"points3d": np.zeros((8, 3))}, "points3d"),
        ({"points3d": np.full((9, 3), np.nan)}, "finite"),
        ({"lines2d": np.zeros((9, 2, 3))}, "lines2d"),
        ({"lines3d": np.zeros((8, 2, 3))}, "lines3d"),
        ({"lines3d": None}, "both lines2d and lines3d"),
        ({"camera": Camera(K=np.eye(3)[::-1])}, "K of the form"),
        ({"max_error": -1}, "max_error"),
    ],
)
def test_bad_input(spatial_scene, change, message):
    scene = spatial_scene(0, points=9, lines=9)
    arguments = {
        "points2d": scene.points1,
        "points3d": scene.points3d,
        "camera": scene.camera1,
        "lines2d": scene.lines1,
        "lines3d": scene.lines3d,
    }
    with pytest.raises(ValueError, match=message):
        estimate_absolute_pose(**(arguments | change))
