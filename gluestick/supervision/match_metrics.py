"""How many reported matches are true, and how many true matches are reported.

Labels are those of the ground truth: the index of the true partner, -1 for a feature without
one, -2 for a feature to ignore. The functions serve points and lines alike.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gluestick.checks import check_shapes
from gluestick.geometry.points import Array
from gluestick.supervision.rules import IGNORED, UNMATCHED


class MatchOutcomes(NamedTuple):
    """The reported matches of one pair of images.

    Attributes:
        correct: [K] bool, whether each match is true; matches of ignored features are left
            out.
        scores: [K], higher is better.
        num_true: How many true matches there are.
    """

    correct: np.ndarray
    scores: np.ndarray
    num_true: int


class PrecisionRecall(NamedTuple):
    """Precision over recall while the threshold of the scores is lowered.

    Attributes:
        precision: [K] in [0, 1], among the first matches.
        recall: [K] in [0, 1], by the first matches.
        scores: [K], falling; the score of the last of these matches.
        average_precision: The area in [0, 1] below the curve that gives each recall the best
            precision at no lower recall; 0 without true matches.
    """

    precision: np.ndarray
    recall: np.ndarray
    scores: np.ndarray
    average_precision: float


def match_precision(matches0: Array, gt_matches0: Array) -> Array:
    """Return the share of true matches among those reported, apart from ignored features.

    Args:
        matches0: [..., N] int64, reported partners, -1 without.
        gt_matches0: [..., N] int64, labels.

    Returns:
        [...] in [0, 1], 0 where no match is reported.
    """
    return _share(matches0 == gt_matches0, (matches0 > UNMATCHED) & (gt_matches0 > IGNORED))


def match_recall(matches0: Array, gt_matches0: Array) -> Array:
    """Return the share of reported matches among those that are true.

    Arguments are those of :func:`match_precision`.

    Returns:
        [...] in [0, 1], 0 where there is no true match.
    """
    return _share(matches0 == gt_matches0, gt_matches0 > UNMATCHED)


def match_accuracy(matches0: Array, gt_matches0: Array) -> Array:
    """Return the share of features whose partner, or lack of one, is reported rightly.

    Arguments are those of :func:`match_precision`.

    Returns:
        [...] in [0, 1], 0 where all features are ignored.
    """
    return _share(matches0 == gt_matches0, gt_matches0 > IGNORED)


def match_outcomes(
    matches0: np.ndarray, gt_matches0: np.ndarray, matching_scores0: np.ndarray
) -> MatchOutcomes:
    """Tell which reported matches of a pair are true.

    Args:
        matches0: [N] int64, reported partners, -1 without.
        gt_matches0: [N] int64, labels.
        matching_scores0: [N], higher is better.

    Returns:
        The outcomes, to be given to :func:`precision_recall` with those of other pairs.

    Raises:
        ShapeError: If the shapes differ.
    """
    arrays = {
        "matches0": matches0,
        "gt_matches0": gt_matches0,
        "matching_scores0": matching_scores0,
    }
    check_shapes("match outcomes", arrays, dict.fromkeys(arrays, "N"))
    reported = (matches0 > UNMATCHED) & (gt_matches0 > IGNORED)
    return MatchOutcomes(
        correct=(matches0 == gt_matches0)[reported],
        scores=matching_scores0[reported],
        num_true=int((gt_matches0 > UNMATCHED).sum()),
    )


def precision_recall(outcomes: Sequence[MatchOutcomes]) -> PrecisionRecall:
    """Rank the matches of all pairs together and follow precision and recall.

    Among equal scores false matches come first. The average precision is that of PASCAL VOC
    from 2010 on (Everingham et al., "The PASCAL Visual Object Classes Challenge: A
    Retrospective", IJCV 2015).

    Args:
        outcomes: One for each pair of images.

    Returns:
        The curve; empty without any match.
    """
    correct = np.concatenate([np.zeros(0, bool), *(outcome.correct for outcome in outcomes)])
    scores = np.concatenate([np.zeros(0), *(outcome.scores for outcome in outcomes)])
    num_true = max(sum(outcome.num_true for outcome in outcomes), 1)
    order = np.lexsort((correct, -scores))
    num_correct = np.cumsum(correct[order])
    precision = num_correct / np.arange(1, len(order) + 1)
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    return PrecisionRecall(
        precision=precision,
        recall=num_correct / num_true,
        scores=scores[order],
        average_precision=float(best_from_here[correct[order]].sum() / num_true),
    )


def _share(hits: Array, counted: Array) -> Array:
    number = counted.sum(-1)
    return (hits & counted).sum(-1) / (number + (number == 0))
