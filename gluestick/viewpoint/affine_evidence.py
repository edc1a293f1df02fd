"""Which affine map most matches of a pair follow, and whether that is chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from gluestick.estimation.chance.false_alarms import independence_weights, judge, with_more_models
from gluestick.geometry.affine import apply, inverse
from gluestick.viewpoint.turns.affine_turn import FEWEST_FOR_AFFINE

_SAMPLE = 3
_TINY = 1e-12

_ALIKE = 0.3
"""Maps are one that differ by less, in their linear parts and, as a share of an image's side, in
what they show in its centre."""


@dataclass(frozen=True, kw_only=True)
class AffineEvidence:
    """An affine map between two images and what speaks for it.

    Attributes:
        affine: [2, 3] float64, from px of image 0 to px of image 1.
        inliers: [M] bool, the matches that follow it.
        log10_false_alarms: The logarithm of how many maps at least as good are expected among
            random matches; see :mod:`gluestick.estimation.chance.false_alarms`.
    """

    affine: np.ndarray
    inliers: np.ndarray
    log10_false_alarms: float


def fit_affine(
    points0: np.ndarray,
    points1: np.ndarray,
    *,
    size0: tuple[int, int],
    size1: tuple[int, int],
    max_error: float,
    num_tests: int = 1,
) -> AffineEvidence | None:
    """Fit an affine map to matches (RANSAC) and count its false alarms.

    It is fitted from image 0 to image 1 and the other way round, since errors in the image that
    shows more say little about the other; the map with fewer false alarms is taken. A match
    agrees by chance as often as a random position lies as near, in the image where that is
    likelier, and matches that crowd within what agrees are counted as one: where one image is a
    detail of the other, all of them lie in a small part of it.

    Args:
        points0: [M, 2] px in image 0.
        points1: [M, 2] px in image 1, in the same order.
        size0: (width, height) px of image 0.
        size1: (width, height) px of image 1.
        max_error: How far a match may be from the map, as a share of the longer side, in both
            images.
        num_tests: How many sets of matches are tried, of which this is one.

    Returns:
        The map, or None where none is found that keeps the orientation.
    """
    if len(points0) < FEWEST_FOR_AFFINE:
        return None
    limits = max_error * max(size0), max_error * max(size1)
    forward = _ransac(points0, points1, limits[1])
    backward = _ransac(points1, points0, limits[0])
    candidates = [forward, None if backward is None else inverse(backward)]
    found = []
    for affine in candidates:
        if affine is None:
            continue
        errors0 = np.linalg.norm(apply(inverse(affine), points1) - points0, axis=1)
        errors1 = np.linalg.norm(apply(affine, points0) - points1, axis=1)
        inliers = (errors0 <= limits[0]) & (errors1 <= limits[1])
        chances = np.maximum(_chance(errors0, size0), _chance(errors1, size1))
        weights = np.ones(len(points0))
        weights[inliers] = independence_weights([points0[inliers], points1[inliers]])
        verdict = judge(chances, inliers, weights, sample_size=_SAMPLE)
        alarms = with_more_models(verdict.log10_false_alarms, 2 * num_tests).log10_false_alarms
        found.append(AffineEvidence(affine=affine, inliers=inliers, log10_false_alarms=alarms))
    return min(found, key=lambda each: each.log10_false_alarms, default=None)


def _ransac(source: np.ndarray, target: np.ndarray, max_error: float) -> np.ndarray | None:
    affine, _ = cv2.estimateAffine2D(
        source, target, method=cv2.RANSAC, ransacReprojThreshold=max_error, maxIters=1000
    )
    if affine is None or not np.isfinite(affine).all() or np.linalg.det(affine[:, :2]) < _TINY:
        return None
    return affine


def _chance(errors: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return how likely a random position is as near, [M] in [0, 1]."""
    return np.minimum(np.pi * errors**2 / (size[0] * size[1]), 1)


def distinct_maps(
    found: Sequence[AffineEvidence], *, size0: tuple[int, int], size1: tuple[int, int]
) -> list[AffineEvidence]:
    """Leave out maps that would lead to about the same views as better ones.

    Args:
        found: The maps, best first.
        size0: (width, height) px of image 0.
        size1: (width, height) px of image 1.
    """
    kept: list[AffineEvidence] = []
    for evidence in found:
        if not any(_alike(evidence.affine, other.affine, size0, size1) for other in kept):
            kept.append(evidence)
    return kept


def _alike(
    affine: np.ndarray, other: np.ndarray, size0: tuple[int, int], size1: tuple[int, int]
) -> bool:
    change = inverse(other)[:, :2] @ affine[:, :2] - np.eye(2)
    if np.linalg.norm(change, ord=2) > _ALIKE:
        return False
    centre0, centre1 = np.array(size0) / 2, np.array(size1) / 2
    moved1 = np.linalg.norm(apply(affine, centre0) - apply(other, centre0)) / max(size1)
    back = inverse(affine), inverse(other)
    moved0 = np.linalg.norm(apply(back[0], centre1) - apply(back[1], centre1)) / max(size0)
    return bool(min(moved0, moved1) < _ALIKE)
