from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gluestick.estimation import estimate_rotation
from gluestick.geometry.distortion import distort_points
from gluestick.geometry.projection import project_points
from gluestick.types import Camera, Pose

CAMERA0 = Camera(K=np.array([[600.0, 0, 320], [0, 580, 240], [0, 0, 1]]))
CAMERA1 = Camera(K=np.array([[700.0, 0, 300], [0, 700, 250], [0, 0, 1]]))


@pytest.fixture
def scene():
    """Points and lines around a camera that turns; half of the matches are wrong."""

    def build(
        seed: int, *, points: int = 60, lines: int = 40, noise: float = 0.5, wrong: float = 0.5
    ) -> SimpleNamespace:
        rng = np.random.default_rng(seed)
        R = Rotation.from_rotvec(rng.normal(0, 0.15, 3)).as_matrix()
        still, turned = (Pose(R=turn, t=np.zeros(3)) for turn in (np.eye(3), R))
        points3d = rng.uniform([-2, -2, 4], [2, 2, 8], (points, 3))
        lines3d = rng.uniform([-2, -2, 4], [2, 2, 8], (lines, 2, 3))
        slide = rng.uniform(0, 0.3, (lines, 2, 1)) * (lines3d[:, ::-1] - lines3d)
        seen = [
            project_points(points3d, still, CAMERA0)[0],
            project_points(points3d, turned, CAMERA1)[0],
            project_points(lines3d, still, CAMERA0)[0],
            project_points(lines3d + slide, turned, CAMERA1)[0][:, ::-1].copy(),
        ]
        for positions in seen:
            positions += rng.normal(0, noise, positions.shape)
        bad = int(wrong * points), int(wrong * lines)
        seen[1][: bad[0]] = rng.uniform(0, 480, (bad[0], 2))
        seen[3][: bad[1]] = rng.uniform(0, 480, (bad[1], 2, 2))
        return SimpleNamespace(
            R=R,
            matches=seen,
            point_inliers=np.arange(points) >= bad[0],
            line_inliers=np.arange(lines) >= bad[1],
        )

    return build


def estimate(matches, **options):
    return estimate_rotation(*matches, **{"camera0": CAMERA0, "camera1": CAMERA1, **options})


def angle(R0: np.ndarray, R1: np.ndarray) -> float:
    return float(np.degrees(np.linalg.norm(Rotation.from_matrix(R0 @ R1.T).as_rotvec())))


@pytest.mark.parametrize(("points", "lines"), [(60, 40), (60, 0), (0, 40), (1, 41)])
def test_half_the_matches_wrong(scene, points, lines):
    errors = []
    for seed in range(4):
        made = scene(seed, points=points, lines=lines)
        found = estimate(made.matches)
        assert found.trusted
        errors.append(angle(found.R_0to1, made.R))
        assert np.linalg.det(found.R_0to1) == pytest.approx(1)
        for mask, true in (
            (found.point_inliers, made.point_inliers),
            (found.line_inliers, made.line_inliers),
        ):
            assert (mask & true).sum() >= 0.9 * true.sum()
            assert (mask & ~true).sum() <= 0.05 * max(len(true), 20)
    assert np.median(errors) < 0.08


def test_exact_matches_give_the_exact_rotation(scene):
    made = scene(0, noise=0.0, wrong=0.0)
    found = estimate(made.matches)
    assert angle(found.R_0to1, made.R) < 1e-3
    H = CAMERA1.K @ made.R @ np.linalg.inv(CAMERA0.K)
    assert found.H_0to1 == pytest.approx(H / np.linalg.norm(H), abs=1e-5)


def test_equal_seeds_give_equal_rotations(scene):
    made = scene(1)
    first, second = (estimate(made.matches, seed=3) for _ in range(2))
    assert np.array_equal(first.R_0to1, second.R_0to1)


def test_distortion_is_removed_first(scene):
    made = scene(2, noise=0.0, wrong=0.0)
    lens = Camera(K=CAMERA1.K, distortion=(-0.1,))
    for side in (1, 3):
        made.matches[side] = distort_points(made.matches[side], lens)
    assert angle(estimate(made.matches, camera1=lens).R_0to1, made.R) < 1e-2


def test_random_matches_are_not_trusted():
    rng = np.random.default_rng(0)
    matches = [*rng.uniform(0, 480, (2, 60, 2)), *rng.uniform(0, 480, (2, 20, 2, 2))]
    found = estimate(matches, max_iterations=1000)
    assert found is None or not found.trusted


def test_too_few_matches_give_nothing():
    none = [np.zeros((0, 2)), np.zeros((0, 2))]
    assert estimate(none) is None
    two = np.array([[10.0, 10], [400, 300]])
    assert estimate([two, two]) is None


def test_bad_input_is_refused(scene):
    matches = scene(0).matches
    with pytest.raises(ValueError, match="needs both lines0 and lines1"):
        estimate(matches[:3])
    with pytest.raises(ValueError, match="K of the form"):
        estimate(matches, camera0=np.ones((3, 3)))
    with pytest.raises(ValueError, match="positive max_error"):
        estimate(matches, max_error=0.0)
