"""The noise of matched points and lines, learnt from their errors under a homography.

The squared whitened error of an inlier has two degrees of freedom, so it is distributed
exponentially, with twice the noise variance as its mean. Where a wrong match falls is locally
uniform in the two dimensions of the residual, so its squared error is distributed uniformly up
to the reach within which matches are looked at. Points and lines have a mixture of these two
each, fitted by expectation maximisation. That weighs points against lines by what they turn
out to be worth, and replaces a hard threshold by the probability of being an inlier, as in
MLESAC (Torr and Zisserman, CVIU 2000).
"""

from dataclasses import dataclass, replace

import numpy as np

from gluestick.estimation.correspondences import Correspondences, symmetric_errors
from gluestick.estimation.refinement import linearize, refine

_REACH = 2.0
"""Matches within this many thresholds take part in the refinement."""

_PRIOR_COUNT = 10
"""The noise of all features together counts as much as this many features of one kind."""

_ROUNDS = 3
_FIT_STEPS = 4
_REFINE_ITERATIONS = 10


@dataclass(frozen=True, kw_only=True)
class NoiseMixture:
    """The negative log-likelihood of squared errors, up to a constant, as a robust loss.

    Attributes:
        mean: [2], the expected squared error of an inlier, for points and for lines.
        inlier_share: [2] in (0, 1), for points and for lines.
        reach: The largest squared error that is looked at.
        kind: [N] int64, which entry holds for a feature: 0 a point, 1 a line.
    """

    mean: np.ndarray
    inlier_share: np.ndarray
    reach: float
    kind: np.ndarray

    def __call__(self, squared: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the losses and the weights of [K, N] squared errors."""
        mean, share = self.mean[self.kind], self.inlier_share[self.kind]
        inlier = share * np.exp(-squared / mean)
        total = inlier + (1 - share) * mean / self.reach
        return -np.log(total), inlier / total / mean

    def fit(self, squared: np.ndarray) -> "NoiseMixture":
        """Return the mixture after a step of expectation maximisation on [N] errors."""
        _, weights = self(squared[None])
        probability = weights[0] * self.mean[self.kind]
        count = np.bincount(self.kind, minlength=2)
        inliers = np.bincount(self.kind, probability, minlength=2)
        errors = np.bincount(self.kind, probability * squared, minlength=2)
        pooled = errors.sum() / max(inliers.sum(), 1e-12)
        mean = (errors + _PRIOR_COUNT * pooled) / (inliers + _PRIOR_COUNT)
        return replace(
            self,
            mean=np.clip(mean, 1e-12 * self.reach, self.reach),
            inlier_share=(inliers + 1) / (count + 2),
        )


def refine_with_noise(H: np.ndarray, data: Correspondences, *, threshold: float) -> np.ndarray:
    """Refine a homography and the noise of points and of lines in turns.

    It starts from noise as large as the threshold allows, so that every match nearby has a
    say before the noise is learnt: starting small, a first estimate from too few matches
    would confirm itself.

    Args:
        H: [3, 3], close to the solution.
        data: The correspondences, centred and scaled to order 1.
        threshold: The squared symmetric error up to which a match is an inlier.

    Returns:
        [3, 3] of unit norm.
    """
    # At equal scales the whitened squared error is half the symmetric one.
    mean, reach = threshold / 2, _REACH**2 * threshold / 2
    mixture = NoiseMixture(
        mean=np.full(2, mean), inlier_share=np.full(2, 0.9), reach=reach, kind=np.zeros(0, int)
    )
    for _ in range(_ROUNDS):
        near = symmetric_errors(H[None], data)[0] < _REACH**2 * threshold
        nearby = data.select(near[: data.num_points], near[data.num_points :])
        kind = np.repeat([0, 1], [nearby.num_points, nearby.num_lines])
        mixture = replace(mixture, kind=kind)
        H = refine(H[None], nearby, loss=mixture, max_iterations=_REFINE_ITERATIONS)[0]
        squared = linearize(H[None], nearby).squared[0]
        for _ in range(_FIT_STEPS):
            mixture = mixture.fit(squared)
    return H
