import math

import numpy as np
import pytest

from gluestick.estimation.chance.false_alarms import (
    TRUSTED_BELOW,
    independence_weights,
    judge,
    with_more_models,
)


def test_number_of_false_alarms_is_that_of_the_formula():
    chances = np.array([1e-3, 1e-3, 1e-3, 1e-3, 1e-3, 0.5, 0.9])
    agreeing = chances < 0.1
    verdict = judge(chances, agreeing, np.ones(7), sample_size=3, num_solutions=4)
    expected = 4 * (7 - 3) * math.comb(7, 5) * math.comb(5, 3) * 1e-3**2
    assert verdict.log10_false_alarms == pytest.approx(math.log10(expected))


def test_every_count_of_inliers_is_tried():
    """One loose inlier does not spoil what the tight ones say."""
    tight = np.full(20, 1e-5)
    alone = judge(tight, np.ones(20, bool), np.ones(20), sample_size=4)
    with_loose = judge(np.append(tight, 0.4), np.ones(21, bool), np.ones(21), sample_size=4)
    assert with_loose.log10_false_alarms == pytest.approx(alone.log10_false_alarms, abs=2)


def test_more_models_make_more_false_alarms():
    assert with_more_models(-9.0, 2) == (pytest.approx(-9 + math.log10(2)), True)
    assert not with_more_models(TRUSTED_BELOW - 0.1, 2).trusted
    assert with_more_models(np.inf, 2) == (np.inf, False)


@pytest.mark.parametrize("number", [0, 1, 4])
def test_a_sample_alone_says_nothing(number):
    verdict = judge(
        np.zeros(number), np.ones(number, bool), np.ones(number), sample_size=4, num_solutions=3
    )
    assert verdict.log10_false_alarms >= 0
    assert verdict.trusted is False


def test_exact_matches_do_not_overflow():
    verdict = judge(np.zeros(1000), np.ones(1000, bool), np.ones(1000), sample_size=4)
    assert np.isfinite(verdict.log10_false_alarms)
    assert verdict.trusted is True


def test_weights_make_a_crowd_one_match():
    chances, agreeing = np.full(40, 1e-4), np.ones(40, bool)
    crowd = judge(chances, agreeing, np.full(40, 5 / 40), sample_size=4)
    five = judge(chances[:5], agreeing[:5], np.ones(5), sample_size=4)
    assert crowd.log10_false_alarms == pytest.approx(five.log10_false_alarms)


def test_matches_in_a_cell_of_either_image_count_as_one():
    rng = np.random.default_rng(0)
    spread, crowd = rng.uniform(0, 1000, (100, 2)), rng.uniform(0, 1, (100, 2)) + 500
    corners = np.array([[0.0, 0], [1000, 1000]])
    both = independence_weights([np.concatenate([corners, spread[:, :2]])] * 2)
    assert both.sum() > 50
    one = independence_weights(
        [np.concatenate([corners, spread]), np.concatenate([corners, crowd])]
    )
    assert 2 < one.sum() <= 3
    np.testing.assert_array_equal(
        one,
        independence_weights([np.concatenate([corners, crowd]), np.concatenate([corners, spread])]),
    )


def test_weights_of_few_and_of_degenerate_positions():
    assert independence_weights([np.zeros((0, 2))] * 2).shape == (0,)
    assert independence_weights([np.ones((1, 2))] * 2).tolist() == [1]
    assert independence_weights([np.ones((7, 2))] * 2).sum() == pytest.approx(1)
    line = np.arange(50)[:, None] * [1.0, 0.0]
    assert np.isfinite(independence_weights([line, line])).all()
