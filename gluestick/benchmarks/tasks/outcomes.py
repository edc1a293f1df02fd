"""Outcomes of matches as they are stored with each pair, and the figures they give.

A benchmark whose ``match_kinds`` name ``points`` or ``lines`` stores three scores for each:
``KIND/correct`` [K], whether each candidate match is true, ``KIND/scores`` [K], higher is
better, and ``KIND/num_true``. Candidates are matches before any threshold, so that the average
precision does not depend on one; those that a matcher reports are marked in ``KIND/reported``.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gluestick.benchmarks.tasks.protocol import Scores
from gluestick.supervision.match_metrics import MatchOutcomes, match_outcomes, precision_recall


class MatchRates(NamedTuple):
    """How right and how complete the matches of a set of pairs are.

    Attributes:
        precision: The share in [0, 1] of reported matches that are true.
        recall: The share in [0, 1] of true matches that are reported.
        average_precision: The area in [0, 1] below the precision-recall curve of all
            candidates.
    """

    precision: float
    recall: float
    average_precision: float


def outcome_scores(
    kind: str,
    *,
    candidate_matches0: np.ndarray,
    matching_scores0: np.ndarray,
    matches0: np.ndarray,
    gt_matches0: np.ndarray,
) -> Scores:
    """Compare the matches of one pair with the truth.

    Args:
        kind: ``points`` or ``lines``.
        candidate_matches0: [N] int64, partners before any threshold, -1 without.
        matching_scores0: [N], the scores of the candidates.
        matches0: [N] int64, the partners that are reported, -1 without.
        gt_matches0: [N] int64, true partners, -1 without, -2 to ignore.

    Returns:
        The four scores described at the top of this module.

    Raises:
        ShapeError: If the shapes differ.
    """
    outcomes = match_outcomes(candidate_matches0, gt_matches0, matching_scores0)
    counted = (candidate_matches0 > -1) & (gt_matches0 > -2)
    return {
        f"{kind}/correct": outcomes.correct,
        f"{kind}/scores": outcomes.scores.astype(np.float32),
        f"{kind}/reported": (matches0 > -1)[counted],
        f"{kind}/num_true": float(outcomes.num_true),
    }


def stored_outcomes(kind: str, scores: Sequence[Scores]) -> list[MatchOutcomes]:
    """Return the outcomes that were stored with pairs."""
    return [
        MatchOutcomes(
            correct=np.asarray(pair[f"{kind}/correct"]) > 0,
            scores=np.asarray(pair[f"{kind}/scores"]),
            num_true=int(pair[f"{kind}/num_true"]),
        )
        for pair in scores
    ]


def match_rates(kind: str, scores: Sequence[Scores]) -> MatchRates:
    """Return the rates over all matches of a set of pairs.

    Args:
        kind: ``points`` or ``lines``.
        scores: The scores of the pairs.

    Returns:
        The rates; NaN where there is nothing to divide by.
    """
    outcomes = stored_outcomes(kind, scores)
    reported = [np.asarray(pair[f"{kind}/reported"]) > 0 for pair in scores]
    num_reported = sum(int(mask.sum()) for mask in reported)
    num_correct = sum(
        int((mask & outcome.correct).sum())
        for mask, outcome in zip(reported, outcomes, strict=True)
    )
    num_true = sum(outcome.num_true for outcome in outcomes)
    return MatchRates(
        precision=num_correct / num_reported if num_reported else float("nan"),
        recall=num_correct / num_true if num_true else float("nan"),
        average_precision=(
            precision_recall(outcomes).average_precision if num_true else float("nan")
        ),
    )


def mean_of(name: str, scores: Sequence[Scores]) -> float:
    """Return the mean of a score over pairs, NaN without pairs."""
    return float(np.mean([pair[name] for pair in scores])) if scores else float("nan")


def median_of(name: str, scores: Sequence[Scores]) -> float:
    """Return the median of a score over pairs, NaN without pairs."""
    return float(np.median([pair[name] for pair in scores])) if scores else float("nan")
