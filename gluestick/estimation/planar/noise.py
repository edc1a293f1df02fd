"""The noise of matched points and lines, learnt from their errors under a homography.

The squared whitened error of an inlier has two degrees of freedom. Its noise differs from match
to match, so it is taken to follow Student's distribution, whose tails are heavier than those of
a Gaussian. Where a wrong match falls is locally uniform in the two dimensions of the residual,
so its squared error is distributed uniformly up to the reach within which matches are looked
at. Points and lines have a mixture of these two each, fitted by expectation maximisation, as in
MLESAC (Torr and Zisserman, CVIU 2000), with the weights of Lange, Little and Taylor, "Robust
Statistical Modeling Using the t Distribution" (JASA 1989).
"""

from dataclasses import dataclass, replace

import numpy as np

_DEGREES = 4.0
"""The degrees of freedom of Student's distribution."""

_PRIOR_COUNT = 5
"""The noise of all features together counts as much as this many features of one kind, in the
logarithm: the noise of lines may be a tenth of that of points, or the other way round."""


@dataclass(frozen=True, kw_only=True)
class NoiseMixture:
    """The negative log-likelihood of squared errors as a robust loss.

    Attributes:
        variance: [2], the squared scale of an inlier's error in one dimension, for points and
            for lines.
        inlier_share: [2] in (0, 1), for points and for lines.
        reach: The largest squared error that is looked at.
        kind: [N] int64, which entry holds for a feature: 0 a point, 1 a line.
    """

    variance: np.ndarray
    inlier_share: np.ndarray
    reach: float
    kind: np.ndarray

    def __call__(self, squared: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the losses and the weights (the losses' derivatives) of [K, N] errors."""
        probability, density = self._inliers(squared)
        weights = (_DEGREES + 2) / 2 / (_DEGREES * self.variance[self.kind] + squared)
        return -np.log(density), probability * weights

    def _inliers(self, squared: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the probabilities of being an inlier, and the densities of the errors."""
        variance, share = self.variance[self.kind], self.inlier_share[self.kind]
        tail = (1 + squared / (_DEGREES * variance)) ** (-(_DEGREES + 2) / 2)
        inlier = share / (2 * variance) * tail
        density = inlier + (1 - share) / self.reach
        return inlier / density, density

    def fit(self, squared: np.ndarray, *, floor: float = 0.0) -> "NoiseMixture":
        """Return the mixture after a step of expectation maximisation.

        Args:
            squared: [N], the squared errors.
            floor: The smallest variance.
        """
        probability, _ = self._inliers(squared)
        shrunk = squared * (_DEGREES + 2) / (_DEGREES + squared / self.variance[self.kind])
        count = np.bincount(self.kind, minlength=2)
        inliers = np.bincount(self.kind, probability, minlength=2)
        errors = np.bincount(self.kind, probability * shrunk, minlength=2) / 2
        least = max(floor, 1e-12 * self.reach)
        own = np.clip(errors / np.maximum(inliers, 1e-12), least, self.reach)
        pooled = np.clip(errors.sum() / max(inliers.sum(), 1e-12), least, self.reach)
        trust = inliers / (inliers + _PRIOR_COUNT)
        return replace(
            self,
            variance=own**trust * pooled ** (1 - trust),
            inlier_share=(inliers + 1) / (count + 2),
        )
