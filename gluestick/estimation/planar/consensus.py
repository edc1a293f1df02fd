"""The homographies that most matched points and lines agree with."""

from dataclasses import dataclass, field

import numpy as np

from gluestick.estimation.planar.correspondences import (
    Correspondences,
    symmetric_errors,
    transfer_errors,
)
from gluestick.estimation.planar.minimal import SAMPLE_KINDS, draw_samples, solve_samples
from gluestick.estimation.planar.refinement import TruncatedLoss, refine
from gluestick.estimation.planar.weighing import Hypotheses

_CHUNK = 512
"""Samples that are drawn and solved at a time."""

_PREVIEW = 192
"""Points, and lines, on which all homographies of a chunk are scored."""

_FINALISTS = 16
"""Homographies of a chunk that are scored on everything."""

_CANDIDATES = 4
"""Homographies of a chunk that are refined."""

_CANDIDATE_ITERATIONS = 6

_MIN_VOLUME = 0.1
"""The smallest height of a sample's triangles, relative to the largest error."""

_SAFETY = 3.0
"""Samples drawn per sample needed if inliers had no noise."""


def find_hypotheses(
    data: Correspondences,
    *,
    max_error: float,
    confidence: float,
    max_iterations: int,
    rng: np.random.Generator,
) -> Hypotheses | None:
    """Draw samples, and refine the best homographies on the matches that agree with them.

    LO-RANSAC (Chum, Matas and Kittler, DAGM 2003) with the score of MSAC (Torr and Zisserman,
    CVIU 2000).

    Args:
        data: Correspondences, centred and scaled to order 1.
        max_error: The largest error of an inlier.
        confidence: The wanted probability of having drawn a sample without outliers.
        max_iterations: At most about this many samples are drawn.
        rng: Decides which.

    Returns:
        The homographies with the best scores on points and lines together and, where there are
        both, on each kind alone; or None if no sample gives one.
    """
    threshold = max_error**2
    kinds = [k for k in SAMPLE_KINDS if k[0] <= data.num_points and k[1] <= data.num_lines]
    preview = data.select(
        rng.permutation(data.num_points)[:_PREVIEW], rng.permutation(data.num_lines)[:_PREVIEW]
    )
    both = _Contest(data, np.array([True, True]), _FINALISTS, _CANDIDATES, threshold)
    contests = [both]
    if data.num_points and data.num_lines:
        nothing = np.zeros(0, dtype=np.int64)
        points, lines = np.arange(data.num_points), np.arange(data.num_lines)
        only_points, only_lines = data.select(points, nothing), data.select(nothing, lines)
        contests += [
            _Contest(only_points, np.array([True, False]), _CANDIDATES, 1, threshold),
            _Contest(only_lines, np.array([False, True]), _CANDIDATES, 1, threshold),
        ]
    drawn, needed = 0, float(max_iterations) if kinds else 0.0
    while drawn < min(needed, max_iterations):
        H = _solve_chunk(data, kinds, min_volume=_MIN_VOLUME * max_error, rng=rng)
        drawn += _CHUNK
        if len(H) == 0:
            continue
        costs = np.stack(
            [np.minimum(errors, threshold).sum(1) for errors in transfer_errors(H, preview)]
        )
        improved = [contest.enter(H, costs) for contest in contests]
        if improved[0] and both.best is not None:
            inliers = symmetric_errors(both.best[None], data)[0] <= threshold
            success = _success_probability(inliers, data.num_points, kinds)
            needed = _SAFETY * np.log1p(-confidence) / np.log1p(-np.clip(success, 1e-12, 1 - 1e-9))
    if both.best is None:
        return None
    return Hypotheses(both.best, *(contest.best for contest in contests[1:]))


@dataclass
class _Contest:
    """The best homography so far on some of the matches.

    Attributes:
        data: These matches.
        kinds: [2] bool, whether points and lines are among them.
        num_finalists: Homographies of a chunk that are scored on all of them.
        num_candidates: Homographies of a chunk that are refined.
        threshold: The squared error of an inlier.
        best: [3, 3], refined, or None before there is one.
        cost: Its cost.
        sample_cost: The smallest cost before refinement.
    """

    data: Correspondences
    kinds: np.ndarray
    num_finalists: int
    num_candidates: int
    threshold: float
    best: np.ndarray | None = field(default=None, init=False)
    cost: float = field(default=np.inf, init=False)
    sample_cost: float = field(default=np.inf, init=False)

    def enter(self, H: np.ndarray, costs: np.ndarray) -> bool:
        """Take in the homographies [K, 3, 3] of a chunk, and say whether the best changed.

        Args:
            H: Of unit norm and positive determinant.
            costs: [2, K], of points and of lines, on a preview of the matches.
        """
        order = np.argsort(costs[self.kinds].sum(0), kind="stable")
        H = H[order[: self.num_finalists]]
        cost = self._costs(H)
        if cost.min() >= self.sample_cost:
            return False
        self.sample_cost = cost.min()
        H = H[np.argsort(cost, kind="stable")[: self.num_candidates]]
        loss = TruncatedLoss(limit=self.threshold / 2)
        H = refine(H, self.data, loss=loss, max_iterations=_CANDIDATE_ITERATIONS)
        cost = self._costs(H)
        if cost.min() >= self.cost:
            return False
        self.best, self.cost = H[cost.argmin()], cost.min()
        return True

    def _costs(self, H: np.ndarray) -> np.ndarray:
        """Return the sums [K] of the squared symmetric errors, each cut at the threshold."""
        return np.minimum(symmetric_errors(H, self.data), self.threshold).sum(1)


def _solve_chunk(
    data: Correspondences,
    kinds: list[tuple[int, int]],
    *,
    min_volume: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the homographies [K, 3, 3] of a chunk of samples, of all kinds equally."""
    solutions = []
    for num_points, num_lines in kinds:
        number = _CHUNK // len(kinds)
        points = draw_samples(rng, population=data.num_points, size=num_points, number=number)
        lines = draw_samples(rng, population=data.num_lines, size=num_lines, number=number)
        solutions.append(solve_samples(data, points, lines, min_volume=min_volume))
    return np.concatenate(solutions)


def _success_probability(
    inliers: np.ndarray, num_points: int, kinds: list[tuple[int, int]]
) -> float:
    """Return the probability that a sample of a random kind has inliers only."""
    ratios = [part.mean() if len(part) else 0.0 for part in np.split(inliers, [num_points])]
    return float(np.mean([ratios[0] ** points * ratios[1] ** lines for points, lines in kinds]))
