"""Whether matches could agree with a model by chance.

The a-contrario test of Moisan and Stival, "A Probabilistic Criterion to Detect Rigid Point
Matches Between Two Images and Estimate the Fundamental Matrix" (IJCV 2004): if the n matches
fell at random, how many models would be expected that at least k of them agree with as well as
they do with this one? Every sample of m matches defines a model, every k is tried, and a match
agrees by chance with probability p, so that the number of false alarms is at most

    (n - m) C(n, k) C(k, m) p^(k - m).

Matches of different kinds have different errors; each enters with the probability that its own
error is as small by chance, so points and lines are counted together. Wrong matches of a network
are no independent draws: they agree with their neighbours. So matches are counted as if those
that share a cell of a grid, in either image, were one.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

TRUSTED_BELOW = -6.0
"""Estimates with a smaller log10 of the number of false alarms are trusted. Calibrated on pairs
of photographs, see docs/estimation.md."""

_CELL = 0.1
"""The side of the grid's cells, relative to the root of the area that the matches cover."""

_LEAST_CHANCE = 1e-12


class Verdict(NamedTuple):
    """How likely an estimate is chance.

    Attributes:
        log10_false_alarms: The logarithm of the expected number of models that as many random
            matches agree with as well; the smaller, the surer.
        trusted: Whether that is too small for chance.
    """

    log10_false_alarms: float
    trusted: bool


def judge(
    chances: np.ndarray,
    agreeing: np.ndarray,
    weights: np.ndarray,
    *,
    sample_size: int,
    num_solutions: int = 1,
) -> Verdict:
    """Compute the number of false alarms of a model.

    Args:
        chances: [N], the probability of each match that its error is as small by chance.
        agreeing: [N] bool, the inliers; only they are counted.
        weights: [N], for how many independent matches each stands; see
            :func:`independence_weights`.
        sample_size: How many matches define a model.
        num_solutions: How many models a sample defines.

    Returns:
        The verdict.
    """
    total = float(weights.sum())
    tests = np.log10(num_solutions * max(total - sample_size, 1))
    order = np.argsort(chances, kind="stable")
    order = order[agreeing[order]]
    count = np.minimum(np.cumsum(weights[order]), total)
    enough = count > sample_size
    if not enough.any():
        return Verdict(float(tests), False)
    count, chance = count[enough], np.clip(chances[order][enough], _LEAST_CHANCE, 1)
    alarms = (
        tests
        + _log10_binomial(total, count)
        + _log10_binomial(count, sample_size)
        + (count - sample_size) * np.log10(chance)
    )
    least = float(alarms.min())
    return Verdict(least, least < TRUSTED_BELOW)


def with_more_models(log10_false_alarms: float, num_models: int) -> Verdict:
    """Return the verdict on the best of several models that were tried on the same matches.

    Args:
        log10_false_alarms: Of the model that was chosen.
        num_models: How many were tried.
    """
    alarms = float(log10_false_alarms + np.log10(num_models))
    return Verdict(alarms, alarms < TRUSTED_BELOW)


def independence_weights(positions: Sequence[np.ndarray]) -> np.ndarray:
    """Count matches that are close to each other as one.

    Args:
        positions: [N, 2] of all matches, in each image.

    Returns:
        [N] in (0, 1], one over the number of matches in the same cell of a grid over the
        bounding rectangle of the positions, in the image where that is larger.
    """
    crowds = [_crowd(each) for each in positions]
    return 1 / np.maximum.reduce(crowds)


def _crowd(positions: np.ndarray) -> np.ndarray:
    if len(positions) == 0:
        return np.ones(0)
    lowest = positions.min(axis=0)
    width, height = positions.max(axis=0) - lowest
    side = _CELL * max(np.sqrt(width * height), 1e-3 * max(width, height), 1e-12)
    cells = np.floor((positions - lowest) / side)
    _, cell, number = np.unique(
        cells[:, 0] + cells[:, 1] * (cells[:, 0].max() + 1),
        return_inverse=True,
        return_counts=True,
    )
    return number[cell.reshape(-1)]


def _log10_binomial(n: np.ndarray | float, k: np.ndarray | float) -> np.ndarray:
    """Return log10 of n over k, continued to numbers that are not whole."""
    from scipy.special import gammaln

    return (gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)) / np.log(10)
