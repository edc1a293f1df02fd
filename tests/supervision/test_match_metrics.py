import numpy as np
import pytest
import torch

from gluestick.checks import ShapeError
from gluestick.supervision.match_metrics import (
    MatchOutcomes,
    match_accuracy,
    match_outcomes,
    match_precision,
    match_recall,
    precision_recall,
)

MATCHES = np.array([3, 1, -1, -1, 2, 0])
LABELS = np.array([3, 0, -1, 4, -2, -1])
SCORES = np.array([0.9, 0.8, 0.0, 0.1, 0.99, 0.7])


def test_shares() -> None:
    assert match_precision(MATCHES, LABELS) == pytest.approx(1 / 3)
    assert match_recall(MATCHES, LABELS) == pytest.approx(1 / 3)
    assert match_accuracy(MATCHES, LABELS) == pytest.approx(2 / 5)


def test_shares_of_tensors_in_batches() -> None:
    matches = torch.tensor([MATCHES.tolist(), [-1] * 6])
    labels = torch.tensor([LABELS.tolist(), [-2] * 6])
    assert match_precision(matches, labels).tolist() == pytest.approx([1 / 3, 0])
    assert match_recall(matches, labels).tolist() == pytest.approx([1 / 3, 0])
    assert match_accuracy(matches, labels).tolist() == pytest.approx([2 / 5, 0])


def test_shares_of_nothing_are_zero() -> None:
    nothing = np.zeros((2, 0), dtype=np.int64)
    for share in (match_precision, match_recall, match_accuracy):
        assert share(nothing, nothing).tolist() == [0, 0]


def test_outcomes_leave_out_ignored_features() -> None:
    outcomes = match_outcomes(MATCHES, LABELS, SCORES)
    assert outcomes.correct.tolist() == [True, False, False]
    assert outcomes.scores.tolist() == [0.9, 0.8, 0.7]
    assert outcomes.num_true == 3
    with pytest.raises(ShapeError, match="gt_matches0 needs the shape"):
        match_outcomes(MATCHES, LABELS[:3], SCORES)


def test_curve_over_several_pairs() -> None:
    curve = precision_recall(
        [
            MatchOutcomes(np.array([True, False]), np.array([0.9, 0.3]), 2),
            MatchOutcomes(np.array([False, True]), np.array([0.8, 0.6]), 2),
        ]
    )
    assert curve.scores.tolist() == [0.9, 0.8, 0.6, 0.3]
    assert curve.precision == pytest.approx([1, 1 / 2, 2 / 3, 1 / 2])
    assert curve.recall == pytest.approx([1 / 4, 1 / 4, 1 / 2, 1 / 2])
    assert curve.average_precision == pytest.approx(1 / 4 + 1 / 4 * 2 / 3)


def test_equal_scores_gain_nothing_from_their_order() -> None:
    correct = np.array([True, False, True, False])
    for order in (slice(None), slice(None, None, -1)):
        outcome = MatchOutcomes(correct[order], np.full(4, 0.5), 2)
        assert precision_recall([outcome]).average_precision == pytest.approx(0.5)


def test_perfect_and_empty_curves() -> None:
    perfect = MatchOutcomes(np.ones(5, bool), np.arange(5.0), 5)
    assert precision_recall([perfect]).average_precision == 1
    silent = MatchOutcomes(np.zeros(0, bool), np.zeros(0), 5)
    for outcomes in ([silent], []):
        curve = precision_recall(outcomes)
        assert curve.average_precision == 0
        assert len(curve.precision) == len(curve.recall) == len(curve.scores) == 0
