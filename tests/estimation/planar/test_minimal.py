import numpy as np
import pytest

from gluestick.estimation.planar.correspondences import Correspondences
from gluestick.estimation.planar.minimal import SAMPLE_KINDS, draw_samples, solve_samples
from gluestick.geometry.homography import transform_lines, transform_points


def scene(seed, H):
    rng = np.random.default_rng(seed)
    points, lines = rng.uniform(-1, 1, (40, 2)), rng.uniform(-1, 1, (40, 2, 2))
    return Correspondences.from_arrays(
        points, transform_points(H, points), lines, transform_lines(H, lines)
    )


@pytest.mark.parametrize("kind", SAMPLE_KINDS)
def test_solutions_are_the_homography(kind):
    H = np.array([[1.1, 0.2, 0.3], [-0.1, 0.9, -0.2], [0.1, -0.2, 1.2]])
    data, rng = scene(0, H), np.random.default_rng(1)
    points, lines = (draw_samples(rng, population=40, size=n, number=200) for n in kind)
    solutions = solve_samples(data, points, lines, min_volume=1e-2)
    assert len(solutions) > 100
    np.testing.assert_allclose(
        solutions, np.broadcast_to(H / np.linalg.norm(H), solutions.shape), atol=1e-6
    )


@pytest.mark.parametrize("kind", SAMPLE_KINDS)
def test_mirrored_samples_are_dropped(kind):
    data, rng = scene(0, np.diag([-1.0, 1, 1])), np.random.default_rng(1)
    points, lines = (draw_samples(rng, population=40, size=n, number=200) for n in kind)
    assert len(solve_samples(data, points, lines, min_volume=1e-2)) == 0


def test_degenerate_samples_are_dropped():
    x = np.linspace(-1, 1, 8)
    points = np.stack([x, 0.5 * x], axis=1)
    points[0] = [0.5, -1]
    pencil = np.stack([np.zeros((8, 2)), np.stack([np.cos(x), np.sin(x)], axis=1)], axis=1)
    data = Correspondences.from_arrays(points, points, pencil, pencil)
    rng = np.random.default_rng(0)
    for kind in SAMPLE_KINDS:
        sampled = [draw_samples(rng, population=8, size=n, number=100) for n in kind]
        if kind != (3, 1):
            assert len(solve_samples(data, *sampled, min_volume=1e-6)) == 0


def test_a_line_through_a_sampled_point_is_degenerate():
    points = np.array([[0.0, 0], [1, 0], [0, 1]])
    lines = np.array([[[-1.0, -1], [1, 1]]])
    data = Correspondences.from_arrays(points, points, lines, lines)
    solved = solve_samples(data, np.array([[0, 1, 2]]), np.array([[0]]), min_volume=1e-6)
    assert solved.shape == (0, 3, 3)


def test_samples_have_no_repetition_and_are_uniform():
    rng = np.random.default_rng(0)
    samples = draw_samples(rng, population=5, size=4, number=20000)
    assert (np.diff(np.sort(samples, axis=1), axis=1) > 0).all()
    share = np.stack([(samples == item).mean(0) for item in range(5)])
    np.testing.assert_allclose(share, 0.2, atol=0.02)
    assert draw_samples(rng, population=0, size=0, number=7).shape == (7, 0)
    assert np.array_equal(np.sort(draw_samples(rng, population=4, size=4, number=1)[0]), range(4))
