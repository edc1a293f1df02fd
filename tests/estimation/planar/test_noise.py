import numpy as np
import pytest

from gluestick.estimation.planar.noise import NoiseMixture


@pytest.mark.parametrize("outliers", [0.0, 0.5])
def test_fit_finds_the_noise_of_points_and_lines(outliers):
    """Gaussian noise is within a tenth of what Student's distribution makes of it."""
    rng = np.random.default_rng(0)
    number = 4000
    kind = np.repeat([0, 1], number)
    variance = np.array([1.0, 4.0])
    squared = 2 * variance.repeat(number) * rng.standard_exponential(2 * number)
    student = squared / (rng.chisquare(4, 2 * number) / 4)
    wrong = rng.random(2 * number) < outliers
    student[wrong] = rng.uniform(0, 400, wrong.sum())
    mixture = NoiseMixture(
        variance=np.full(2, 25.0), inlier_share=np.full(2, 0.9), reach=400.0, kind=kind
    )
    for _ in range(60):
        mixture = mixture.fit(student)
    np.testing.assert_allclose(mixture.variance, variance, rtol=0.1)
    np.testing.assert_allclose(mixture.inlier_share, 1 - outliers, atol=0.03)


def test_the_density_of_errors_sums_up_to_one():
    mixture = NoiseMixture(
        variance=np.array([0.5, 2.0]), inlier_share=np.full(2, 0.7), reach=1e4, kind=np.array([1])
    )
    squared = np.linspace(0, 1e4, 1_000_001)
    losses, _ = mixture(squared[:, None])
    assert np.exp(-losses[:, 0]).sum() * 0.01 == pytest.approx(1, abs=1e-2)


def test_weights_are_the_derivatives_of_the_losses():
    mixture = NoiseMixture(
        variance=np.array([1.0, 4.0]),
        inlier_share=np.full(2, 0.8),
        reach=50.0,
        kind=np.array([0, 1]),
    )
    squared, step = np.array([[1.0, 20.0]]), 1e-6
    losses, weights = mixture(squared)
    moved, _ = mixture(squared + step)
    np.testing.assert_allclose((moved - losses) / step, weights, rtol=1e-4)
    assert weights[0, 0] > weights[0, 1]


def test_a_kind_without_features_takes_the_noise_of_the_other():
    mixture = NoiseMixture(
        variance=np.full(2, 5.0),
        inlier_share=np.full(2, 0.9),
        reach=50.0,
        kind=np.zeros(500, int),
    )
    squared = np.random.default_rng(0).exponential(2.0, 500)
    for _ in range(20):
        mixture = mixture.fit(squared)
    assert mixture.variance[1] == pytest.approx(mixture.variance[0], rel=0.01)


def test_the_floor_holds_for_exact_matches():
    mixture = NoiseMixture(
        variance=np.ones(2), inlier_share=np.full(2, 0.9), reach=50.0, kind=np.repeat([0, 1], 50)
    )
    for _ in range(50):
        mixture = mixture.fit(np.zeros(100), floor=1e-4)
    np.testing.assert_allclose(mixture.variance, 1e-4)
