import numpy as np
import pytest

from gluestick.estimation.noise import NoiseMixture


@pytest.mark.parametrize("outliers", [0.0, 0.5])
def test_fit_finds_the_noise_of_points_and_lines(outliers):
    rng = np.random.default_rng(0)
    number = 4000
    kind = np.repeat([0, 1], number)
    squared = rng.exponential(np.repeat([2.0, 8.0], number))
    wrong = rng.random(2 * number) < outliers
    squared[wrong] = rng.uniform(0, 100, wrong.sum())
    mixture = NoiseMixture(
        mean=np.full(2, 25.0), inlier_share=np.full(2, 0.9), reach=100.0, kind=kind
    )
    for _ in range(40):
        mixture = mixture.fit(squared)
    np.testing.assert_allclose(mixture.mean, [2, 8], rtol=0.1)
    np.testing.assert_allclose(mixture.inlier_share, 1 - outliers, atol=0.03)


def test_weights_are_the_derivatives_of_the_losses():
    mixture = NoiseMixture(
        mean=np.array([2.0, 8.0]), inlier_share=np.full(2, 0.8), reach=50.0, kind=np.array([0, 1])
    )
    squared, step = np.array([[1.0, 20.0]]), 1e-6
    losses, weights = mixture(squared)
    moved, _ = mixture(squared + step)
    np.testing.assert_allclose((moved - losses) / step, weights, rtol=1e-4)
    assert weights[0, 0] > weights[0, 1]


def test_a_kind_without_features_takes_the_noise_of_the_other():
    mixture = NoiseMixture(
        mean=np.full(2, 5.0), inlier_share=np.full(2, 0.9), reach=50.0, kind=np.zeros(500, int)
    )
    squared = np.random.default_rng(0).exponential(2.0, 500)
    for _ in range(20):
        mixture = mixture.fit(squared)
    assert mixture.mean[1] == pytest.approx(mixture.mean[0], rel=0.01)
