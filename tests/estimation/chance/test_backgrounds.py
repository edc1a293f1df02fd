"""The chances are compared with how often random matches have errors as small."""

import numpy as np
import pytest

from gluestick.estimation.chance.backgrounds import (
    Extent,
    epipolar_chances,
    homography_chances,
    parallax_chances,
    projection_chances,
)
from gluestick.estimation.planar.correspondences import Correspondences
from gluestick.geometry.lines import line_lengths

SIZE = np.array([640.0, 480.0])
NO_LINES = np.zeros((0, 2, 2))
NO_POINTS = np.zeros((0, 2))
IDENTITY = np.eye(3)


def random_lines(rng, number: int) -> np.ndarray:
    middle = rng.uniform(0, 1, (number, 2)) * SIZE
    angle, length = rng.uniform(0, np.pi, number), rng.uniform(30, 80, number)
    half = np.stack([np.cos(angle), np.sin(angle)], axis=1) * length[:, None] / 2
    return np.stack([middle - half, middle + half], axis=1)


def share_below(chances: np.ndarray, level: float) -> float:
    return float((chances <= level).mean())


def test_points_under_a_homography():
    rng = np.random.default_rng(0)
    points0, points1 = rng.uniform(0, 1, (2, 200_000, 2)) * SIZE
    data = Correspondences.from_arrays(points0, points1, NO_LINES, NO_LINES)
    chances = homography_chances(IDENTITY, data)
    for level in (1e-3, 1e-2):
        assert share_below(chances, level) == pytest.approx(level, rel=0.15)


def test_lines_under_a_homography():
    rng = np.random.default_rng(1)
    number = 100_000
    data = Correspondences.from_arrays(
        NO_POINTS, NO_POINTS, random_lines(rng, number), random_lines(rng, number)
    )
    # The pairwise angles of all lines would not fit: they are random here.
    chances = np.concatenate(
        [
            homography_chances(IDENTITY, data.select(np.zeros(0, int), part))
            for part in np.array_split(np.arange(number), 200)
        ]
    )
    for level in (1e-3, 1e-2):
        assert 0.3 * level < share_below(chances, level) < 1.2 * level


def test_parallel_lines_agree_more_easily():
    rng = np.random.default_rng(2)
    lines0, lines1 = random_lines(rng, 400), random_lines(rng, 400)
    middle = lines1.mean(axis=1, keepdims=True)
    upright = middle + np.array([[0.0, -25], [0, 25]])
    mixed = homography_chances(
        IDENTITY, Correspondences.from_arrays(NO_POINTS, NO_POINTS, lines0, lines1)
    )
    parallel = homography_chances(
        IDENTITY,
        Correspondences.from_arrays(NO_POINTS, NO_POINTS, upright, upright + np.array([1.0, 0])),
    )
    assert mixed.min() < 1e-2
    near = 2 * 1.0**2 / np.prod(np.ptp(upright.reshape(-1, 2), axis=0))
    assert parallel.max() > 10 * near


def test_points_beside_epipolar_lines():
    rng = np.random.default_rng(3)
    points0, points1 = rng.uniform(0, 1, (2, 100_000, 2)) * SIZE
    F = np.array([[0, 0, 0], [0, 0, -1], [0, 1, 0.0]])  # rows correspond to rows
    chances = epipolar_chances(F, points0, points1)
    for level in (1e-2, 1e-1):
        assert 0.6 * level < share_below(chances, level) <= 1.05 * level


def test_directions_of_parallax():
    rng = np.random.default_rng(4)
    points0 = rng.uniform(0, 1, (50_000, 2)) * SIZE
    angle = rng.uniform(0, 2 * np.pi, 50_000)
    points1 = points0 + 40 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    F = np.array([[0, 0, 0], [0, 0, -1], [0, 1, 0.0]])
    chances = parallax_chances(IDENTITY, F, points0, points1)
    for level in (0.05, 0.5):
        assert share_below(chances, level) == pytest.approx(level, rel=0.05)
    still = parallax_chances(IDENTITY, F, points0, points0 + np.array([0, 0.5]))
    np.testing.assert_allclose(still, 1)


def test_points_and_lines_projected():
    rng = np.random.default_rng(5)
    extent = Extent.of(NO_POINTS, np.array([[[0.0, 0], SIZE]]))
    errors = np.linalg.norm((rng.uniform(0, 1, (2, 200_000, 2)) * SIZE)[0] - SIZE / 2, axis=1)
    chances = projection_chances(errors, np.zeros(0), np.zeros(0), extent)
    assert share_below(chances, 1e-2) == pytest.approx(1e-2, rel=0.1)

    segment = np.array([[300.0, 200], [360, 240]])
    angle = rng.uniform(0, np.pi, 400_000)
    normals = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    offset = rng.uniform(-400, 400, 400_000)  # lines around the centre, all that cross the image
    crossing = np.abs(offset) < np.abs(normals) @ (SIZE / 2)
    distances = np.abs((segment - SIZE / 2) @ normals[crossing].T - offset[crossing]).sum(0)
    lengths = np.full(crossing.sum(), line_lengths(segment))
    chances = projection_chances(np.zeros(0), distances, lengths, extent)
    assert share_below(chances, 1e-3) == pytest.approx(1e-3, rel=0.2)


@pytest.mark.filterwarnings("error")
def test_degenerate_input():
    empty = Correspondences.from_arrays(NO_POINTS, NO_POINTS, NO_LINES, NO_LINES)
    assert homography_chances(IDENTITY, empty).shape == (0,)
    same = np.ones((5, 2))
    data = Correspondences.from_arrays(same, same + 1, NO_LINES, NO_LINES)
    np.testing.assert_allclose(homography_chances(IDENTITY, data), 1)
    np.testing.assert_allclose(epipolar_chances(np.zeros((3, 3)), same, same), 0, atol=1)
    assert Extent.of(NO_POINTS).perimeter == 0
