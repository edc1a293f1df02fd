import numpy as np
import pytest

from gluestick.estimation.planar.correspondences import Correspondences
from gluestick.estimation.planar.refinement import TruncatedLoss, linearize, refine
from gluestick.geometry.homography import transform_lines, transform_points

H = np.array([[1.1, 0.2, 0.3], [-0.1, 0.9, -0.2], [0.1, -0.2, 1.2]])
H /= np.linalg.norm(H)


def scene(noise=0.0, number=30):
    rng = np.random.default_rng(0)
    points, lines = rng.uniform(-1, 1, (number, 2)), rng.uniform(-1, 1, (number, 2, 2))
    exact = (points, transform_points(H, points), lines, transform_lines(H, lines))
    return Correspondences.from_arrays(*(v + rng.normal(0, noise, v.shape) for v in exact))


def test_jacobian_is_the_derivative_of_the_residuals():
    data, step = scene(), 1e-6
    exact = linearize(H[None], data)
    np.testing.assert_allclose(exact.residuals, 0, atol=1e-12)
    for entry in range(9):
        moved = H + step * np.eye(9)[entry].reshape(3, 3)
        difference = linearize(moved[None], data).residuals / step
        np.testing.assert_allclose(difference, exact.jacobian[..., entry], atol=1e-4)


def test_residuals_are_white():
    """At the true homography they have unit variance per unit of noise, uncorrelated."""
    noise = 1e-3
    residuals = linearize(H[None], scene(noise, number=20000)).residuals[0] / noise
    for kind in (residuals[:20000], residuals[20000:]):
        np.testing.assert_allclose(np.cov(kind.T), np.eye(2), atol=0.06)


def test_refinement_converges_from_afar_one_by_one():
    rng = np.random.default_rng(1)
    starts = H + rng.normal(0, 0.02, (3, 3, 3))
    refined = refine(starts, scene(), loss=TruncatedLoss(10.0), max_iterations=30)
    np.testing.assert_allclose(refined, np.broadcast_to(H, (3, 3, 3)), atol=1e-8)
    alone = refine(starts[:1], scene(), loss=TruncatedLoss(10.0), max_iterations=30)
    np.testing.assert_allclose(alone[0], refined[0], atol=1e-12)


@pytest.mark.filterwarnings("error")
def test_nothing_to_refine_on():
    empty = scene().select(np.zeros(0, int), np.zeros(0, int))
    refined = refine(H[None], empty, loss=TruncatedLoss(1.0), max_iterations=5)
    np.testing.assert_allclose(refined[0], H)
    far = refine(-H[None], scene(), loss=TruncatedLoss(1.0), max_iterations=5)
    assert np.isfinite(far).all()
