from types import SimpleNamespace

import numpy as np
import pytest

from gluestick.estimation import estimate_uncalibrated_pose
from gluestick.geometry.projection import project_points
from gluestick.types import Camera

SIZE = (640, 480)


@pytest.fixture
def scene(spatial_scene):
    """A scene seen by a camera of square pixels with its principal point in the middle."""

    def build(
        seed: int, *, points: int = 80, lines: int = 30, focal: float = 700.0
    ) -> SimpleNamespace:
        made = spatial_scene(seed, points=points, lines=lines)
        made.camera1 = Camera(K=np.array([[focal, 0, 319.5], [0, focal, 239.5], [0, 0, 1]]))
        for kind, mask in (("points", made.point_inliers), ("lines", made.line_inliers)):
            seen = project_points(getattr(made, f"{kind}3d"), made.pose, made.camera1)[0]
            seen += np.random.default_rng(seed).normal(0, 0.5, seen.shape)
            getattr(made, f"{kind}1")[mask] = seen[mask]
        return made

    return build


def estimate(scene, **options):
    return estimate_uncalibrated_pose(
        scene.points1, scene.points3d, SIZE, scene.lines1, scene.lines3d, **options
    )


@pytest.mark.parametrize("focal", [350.0, 700.0, 2100.0])
def test_focal_length_and_pose_with_half_the_matches_wrong(scene, focal):
    made = scene(1, focal=focal)
    found = estimate(made)
    assert found.trusted
    assert found.camera.K[0, 0] == pytest.approx(focal, rel=0.01)
    assert found.camera.K[1, 1] == found.camera.K[0, 0]
    assert found.focal_length_deviation < 0.01
    centre = -made.pose.R.T @ made.pose.t
    assert -found.cam_from_world.R.T @ found.cam_from_world.t == pytest.approx(centre, abs=0.08)
    assert (found.point_inliers & made.point_inliers).sum() >= 0.9 * made.point_inliers.sum()
    assert (found.line_inliers & made.line_inliers).sum() >= 0.9 * made.line_inliers.sum()


def test_lines_alone(scene):
    found = estimate(scene(2, points=0, lines=80))
    assert found.trusted
    assert found.camera.K[0, 0] == pytest.approx(700, rel=0.02)


def test_an_expected_focal_length_may_be_off(scene):
    found = estimate(scene(3), expected_focal_length=600.0)
    assert found.camera.K[0, 0] == pytest.approx(700, rel=0.02)


def test_a_plane_from_the_front_leaves_the_focal_length_open(scene):
    rng = np.random.default_rng(0)
    made = scene(0, lines=0)
    points3d = np.concatenate([rng.uniform(-2, 2, (60, 2)), np.full((60, 1), 6.0)], axis=1)
    points2d = points3d[:, :2] * 100 + [319.5, 239.5] + rng.normal(0, 0.5, (60, 2))
    made.points3d, made.points1 = points3d, points2d
    made.lines1, made.lines3d = np.zeros((0, 2, 2)), np.zeros((0, 2, 3))
    found = estimate(made)
    assert not found.trusted
    assert found.focal_length_deviation > 0.1
    assert found.log10_false_alarms < -6


def test_random_matches_are_not_trusted():
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 480, (40, 2)), rng.uniform(-1, 1, (40, 3))
    found = estimate_uncalibrated_pose(*points, SIZE)
    assert found is None or not found.trusted


def test_too_few_matches_give_nothing():
    assert estimate_uncalibrated_pose(np.zeros((0, 2)), np.zeros((0, 3)), SIZE) is None
    four = np.random.default_rng(0).uniform(0, 400, (4, 2)), np.eye(4)[:, :3]
    assert estimate_uncalibrated_pose(*four, SIZE) is None


@pytest.mark.parametrize(
    ("size", "options"), [((0, 480), {}), (SIZE, {"expected_focal_length": -1.0})]
)
def test_sizes_and_lengths_are_positive(size, options):
    with pytest.raises(ValueError, match="positive image size and focal length"):
        estimate_uncalibrated_pose(np.zeros((5, 2)), np.zeros((5, 3)), size, **options)
