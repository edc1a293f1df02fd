from dataclasses import replace

import numpy as np
import pytest

from gluestick.estimation.homography import HomographySolver
from gluestick.geometry.epipolar import epipolar_distance
from gluestick.geometry.homography import transform_points
from gluestick.geometry.projection import project_points
from gluestick.pair_geometry import PairGeometry, PairMatches, estimate_geometry
from gluestick.types import Camera, Pose

K = np.array([[500.0, 0, 320], [0, 500.0, 240], [0, 0, 1]])
SIZE = (640, 480)
POSE = Pose(
    R=np.array([[np.cos(0.1), 0, np.sin(0.1)], [0, 1, 0], [-np.sin(0.1), 0, np.cos(0.1)]]),
    t=np.array([-1.0, 0.1, 0]),
)
H = np.array([[0.9, 0.1, 30], [-0.05, 1.1, -20], [1e-4, -5e-5, 1]])


def pair(points0: np.ndarray, points1: np.ndarray, *, num_lines: int = 0) -> PairMatches:
    rng = np.random.default_rng(1)
    lines0 = rng.uniform(50, 400, (num_lines, 2, 2))
    return PairMatches(
        points0=points0,
        points1=points1,
        lines0=lines0,
        lines1=transform_points(H, lines0),
        image_size0=SIZE,
        image_size1=SIZE,
    )


def plane(*, num_lines: int = 0) -> PairMatches:
    rng = np.random.default_rng(0)
    points0 = rng.uniform(20, 460, (100, 2))
    noise = rng.normal(0, 0.5, (100, 2))
    return pair(points0, transform_points(H, points0) + noise, num_lines=num_lines)


def scene(*, camera: Camera | None = None) -> PairMatches:
    """Points at many depths."""
    rng = np.random.default_rng(0)
    camera = camera or Camera(K=K)
    space = np.concatenate([rng.uniform(-2, 2, (150, 2)), rng.uniform(4, 9, (150, 1))], axis=1)
    still = Pose(R=np.eye(3), t=np.zeros(3))
    views = [project_points(space, motion, camera)[0] for motion in (still, POSE)]
    return pair(*(view + rng.normal(0, 0.3, view.shape) for view in views), num_lines=5)


def chance(seed: int) -> PairMatches:
    rng = np.random.default_rng(seed)
    return pair(*rng.uniform(0, 480, (2, 60, 2)))


def test_auto_finds_the_plane() -> None:
    estimate = estimate_geometry(plane(num_lines=10))
    assert estimate.geometry == "homography"
    assert estimate.trusted
    assert estimate.log10_false_alarms < -20
    assert estimate.H_0to1 is not None
    corners = np.array([[0, 0], [639, 0], [639, 479], [0, 479.0]])
    error = transform_points(estimate.H_0to1, corners) - transform_points(H, corners)
    assert np.abs(error).max() < 2
    assert estimate.point_inliers is not None
    assert estimate.point_inliers.all()
    assert estimate.line_inliers is not None
    assert estimate.line_inliers.all()
    assert estimate.F_0to1 is not None
    assert estimate.pose_0to1 is None


def test_auto_finds_the_epipolar_geometry() -> None:
    matches = scene()
    estimate = estimate_geometry(matches, camera0=K, camera1=Camera(K=K))
    assert estimate.geometry == "fundamental"
    assert estimate.trusted
    assert estimate.line_inliers is None
    assert estimate.point_inliers is not None
    assert estimate.point_inliers.mean() > 0.95
    assert estimate.F_0to1 is not None
    errors = epipolar_distance(estimate.F_0to1, matches.points0, matches.points1)
    assert np.median(errors) < 1
    assert estimate.pose_0to1 is not None
    np.testing.assert_allclose(estimate.pose_0to1.R, POSE.R, atol=0.01)
    direction = POSE.t / np.linalg.norm(POSE.t)
    assert estimate.pose_0to1.t @ direction > 0.999
    rays = [
        np.concatenate([(points - K[:2, 2]) / 500, np.ones((len(points), 1))], axis=1)
        for points in (matches.points0, matches.points1)
    ]
    assert estimate.E_0to1 is not None
    residuals = np.einsum("si,ij,sj->s", rays[1], estimate.E_0to1, rays[0])
    assert np.abs(residuals).max() < 0.02


@pytest.mark.parametrize("seed", range(5))
def test_chance_is_not_trusted(seed: int) -> None:
    estimate = estimate_geometry(chance(seed))
    assert not estimate.trusted
    assert estimate.log10_false_alarms > -5


def test_the_asked_model_alone_is_given() -> None:
    homography = estimate_geometry(scene(), geometry="homography")
    assert homography.geometry == "homography"
    assert homography.F_0to1 is None
    assert homography.line_inliers is not None
    fundamental = estimate_geometry(plane(), geometry="fundamental")
    assert fundamental.geometry == "fundamental"
    assert fundamental.H_0to1 is None
    assert fundamental.line_inliers is None
    assert estimate_geometry(plane(), geometry="none") == PairGeometry()


@pytest.mark.parametrize("count", [0, 1, 3])
def test_too_few_matches_give_nothing(count: int) -> None:
    points = np.arange(2.0 * count).reshape(count, 2)
    estimate = estimate_geometry(pair(points, points), camera0=K, camera1=K)
    assert estimate.geometry == "none"
    assert not estimate.trusted
    assert estimate.log10_false_alarms == np.inf
    assert estimate.H_0to1 is None
    assert estimate.pose_0to1 is None


def test_errors() -> None:
    with pytest.raises(ValueError, match="auto, homography, fundamental or none, found 'affine'"):
        estimate_geometry(plane(), geometry="affine")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="calibration of both"):
        estimate_geometry(plane(), camera0=K)
    with pytest.raises(ValueError, match="max_error"):
        estimate_geometry(plane(), max_error=0)


def test_the_default_threshold_counts_in_what_detectors_see() -> None:
    matches = plane()
    noise = np.random.default_rng(2).normal(0, 2, matches.points1.shape)
    noisy = replace(matches, points1=matches.points1 + noise)
    counts = []
    for pixel in (0.5, 1.0, 4.0):
        estimate = estimate_geometry(replace(noisy, pixel=pixel), geometry="homography")
        assert estimate.point_inliers is not None
        counts.append(estimate.point_inliers.sum())
    assert counts[0] < counts[1] < counts[2]
    fixed = estimate_geometry(replace(noisy, pixel=4.0), geometry="homography", max_error=3.0)
    assert fixed.point_inliers is not None
    assert fixed.point_inliers.sum() == counts[1]


@pytest.mark.parametrize("solver", ["gluestick", "poselib", "magsac"])
def test_solvers_are_taken_by_name(solver: HomographySolver) -> None:
    estimate = estimate_geometry(plane(), geometry="homography", homography_solver=solver)
    assert estimate.trusted
    assert estimate.point_inliers is not None
    assert estimate.point_inliers.mean() > 0.9


def test_a_lens_is_undistorted() -> None:
    lens = Camera(K=K, distortion=(-0.2, 0.05))
    estimate = estimate_geometry(scene(camera=lens), camera0=lens, camera1=lens)
    assert estimate.geometry == "fundamental"
    assert estimate.pose_0to1 is not None
    np.testing.assert_allclose(estimate.pose_0to1.R, POSE.R, atol=0.01)
