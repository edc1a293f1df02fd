import math

import numpy as np
import pytest

from gluestick.benchmarks.tasks.outcomes import match_rates, mean_of, median_of, outcome_scores
from gluestick.benchmarks.tasks.protocol import Scores


def make_scores(
    candidates: list[int], values: list[float], truth: list[int], *, threshold: float = 0.5
) -> Scores:
    candidate_matches0, matching_scores0 = np.array(candidates, int), np.array(values, float)
    return outcome_scores(
        "points",
        candidate_matches0=candidate_matches0,
        matching_scores0=matching_scores0,
        matches0=np.where(matching_scores0 > threshold, candidate_matches0, -1),
        gt_matches0=np.array(truth, int),
    )


def test_rates_by_hand() -> None:
    # Right, wrong, right but below the threshold, ignored, missed.
    scores = make_scores([0, 2, 3, 4, -1], [0.9, 0.8, 0.4, 0.7, 0.0], [0, 1, 3, -2, 5])
    rates = match_rates("points", [scores])
    assert rates.precision == pytest.approx(1 / 2)
    assert rates.recall == pytest.approx(1 / 4)
    # Right at 1 of 4 with precision 1, right at 2 of 4 with precision 2/3.
    assert rates.average_precision == pytest.approx((1 + 2 / 3) / 4)


def test_matches_of_all_pairs_are_counted_together() -> None:
    pairs = [make_scores([0, 1], [0.9, 0.9], [0, 1]), make_scores([0], [0.9], [-1])]
    rates = match_rates("points", pairs)
    assert rates.precision == pytest.approx(2 / 3)
    assert rates.recall == 1


@pytest.mark.parametrize("pairs", [[], [make_scores([], [], [])], [make_scores([-1], [0.0], [-1])]])
def test_nothing_to_say(pairs: list[Scores]) -> None:
    assert all(math.isnan(rate) for rate in match_rates("points", pairs))


def test_no_match_but_some_to_find() -> None:
    rates = match_rates("points", [make_scores([-1], [0.0], [0])])
    assert math.isnan(rates.precision)
    assert (rates.recall, rates.average_precision) == (0, 0)


def test_means_and_medians() -> None:
    pairs: list[Scores] = [{"error": 1.0}, {"error": 2.0}, {"error": math.inf}]
    assert mean_of("error", pairs[:2]) == 1.5
    assert median_of("error", pairs) == 2
    assert math.isnan(mean_of("error", []))
    assert math.isnan(median_of("error", []))
