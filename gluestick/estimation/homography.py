"""A homography from matched points, from matched lines, or from both together."""

from dataclasses import dataclass

import numpy as np

from gluestick.estimation.correspondences import (
    Correspondences,
    symmetric_errors,
    transfer_errors,
)
from gluestick.estimation.determinacy import is_determined
from gluestick.estimation.inputs import ArrayLike, as_arrays, check_options
from gluestick.estimation.minimal import SAMPLE_KINDS, draw_samples, solve_samples
from gluestick.estimation.noise import refine_with_noise
from gluestick.estimation.refinement import TruncatedLoss, refine
from gluestick.geometry.lines import line_lengths
from gluestick.geometry.points import normalizing_transform, spread

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


@dataclass(frozen=True, kw_only=True)
class HomographyEstimate:
    """A homography and the matches that agree with it.

    Attributes:
        H_0to1: [3, 3] float64, maps column vectors (x, y, 1) of image 0 to image 1 in px;
            of unit norm and positive determinant.
        point_inliers: [S] bool.
        line_inliers: [M] bool.
    """

    H_0to1: np.ndarray
    point_inliers: np.ndarray
    line_inliers: np.ndarray


def estimate_homography(
    points0: ArrayLike,
    points1: ArrayLike,
    lines0: ArrayLike | None = None,
    lines1: ArrayLike | None = None,
    *,
    max_error: float = 3.0,
    confidence: float = 0.9999,
    max_iterations: int = 100_000,
    seed: int = 0,
) -> HomographyEstimate | None:
    """Estimate the homography between two images from matched points and lines.

    LO-RANSAC (Chum, Matas and Kittler, DAGM 2003) with the score of MSAC (Torr and Zisserman,
    CVIU 2000). A minimal sample is four points, three points and a line, a point and three
    lines, or four lines, each as often as the others, so that wrong lines cannot crowd out
    good points or the other way round. The winner is refined on all points and lines nearby,
    which are weighed by the noise they turn out to have.

    A point is an inlier if its transfer distances in both images are at most ``max_error`` in
    the root mean square. A line is one if the distances of its endpoints from the matched
    line, taken perpendicular to it and added up in the root of squares, are, again in the mean
    of both images, and if the two segments overlap; where its endpoints lie along the line,
    and in which order, does not matter. An endpoint that is mapped beyond the end of its match
    is allowed the larger distance that the uncertain direction of that segment explains.

    The homography keeps the orientation of the image, and no inlier is mapped beyond infinity.

    Args:
        points0: [S, 2] px in image 0.
        points1: [S, 2] px in image 1, in the same order.
        lines0: [M, 2, 2] px, the endpoints of segments in image 0.
        lines1: [M, 2, 2] px. Lines without length in either image are never inliers.
        max_error: The largest error of an inlier in px.
        confidence: The wanted probability of having drawn a sample without outliers.
        max_iterations: At most about this many samples are drawn.
        seed: Decides which; equal input and seed give equal output, up to rounding.

    Returns:
        The homography and its inliers, or None with fewer than four features, with only two
        points and two lines, or if no four features in general position agree.

    Raises:
        ValueError: If shapes or counts do not fit, a coordinate is NaN or infinite, only one
            of ``lines0`` and ``lines1`` is given, or an option is out of range.
    """
    check_options(
        "estimate_homography",
        max_error=max_error,
        confidence=confidence,
        max_iterations=max_iterations,
        seed=seed,
    )
    arrays = _read_matches(points0, points1, lines0, lines1)
    usable = np.minimum(line_lengths(arrays[2]), line_lengths(arrays[3])) > 1e-6 * max_error
    arrays[2:] = [lines[usable] for lines in arrays[2:]]
    if len(arrays[0]) + usable.sum() < 4:
        return None
    features = [np.concatenate([arrays[i], arrays[i + 2].reshape(-1, 2)]) for i in (0, 1)]
    scale = (spread(features[0]) + spread(features[1])) / 2
    if scale < 1e-6 * max_error:
        return None
    T0, T1 = (normalizing_transform(points, scale=scale) for points in features)
    scaled = [array / scale + T[:2, 2] for array, T in zip(arrays, (T0, T1) * 2, strict=True)]
    data = Correspondences.from_arrays(*scaled)
    H = _consensus(
        data,
        max_error=max_error / scale,
        confidence=confidence,
        max_iterations=max_iterations,
        rng=np.random.default_rng(seed),
    )
    if H is None:
        return None
    inliers = symmetric_errors(H[None], data)[0] <= (max_error / scale) ** 2
    line_inliers = np.zeros(len(usable), dtype=bool)
    line_inliers[usable] = inliers[data.num_points :]
    H = np.linalg.inv(T1) @ H @ T0
    return HomographyEstimate(
        H_0to1=H / np.linalg.norm(H),
        point_inliers=inliers[: data.num_points],
        line_inliers=line_inliers,
    )


def _read_matches(
    points0: ArrayLike, points1: ArrayLike, lines0: ArrayLike | None, lines1: ArrayLike | None
) -> list[np.ndarray]:
    """Return both [S, 2] points and both [M, 2, 2] lines, checked."""
    owner = "estimate_homography"
    if (lines0 is None) != (lines1 is None):
        raise ValueError(f"{owner} needs both lines0 and lines1, or neither")
    no_lines = np.zeros((0, 2, 2))
    values = {
        "points0": points0,
        "points1": points1,
        "lines0": no_lines if lines0 is None else lines0,
        "lines1": no_lines if lines1 is None else lines1,
    }
    specs = {"points0": "S 2", "points1": "S 2", "lines0": "M 2 2", "lines1": "M 2 2"}
    return as_arrays(owner, values, specs)


def _consensus(
    data: Correspondences,
    *,
    max_error: float,
    confidence: float,
    max_iterations: int,
    rng: np.random.Generator,
) -> np.ndarray | None:
    """Find, refine and check the homography [3, 3] of normalised correspondences."""
    H = _search(
        data,
        max_error=max_error,
        confidence=confidence,
        max_iterations=max_iterations,
        rng=rng,
    )
    if H is None:
        return None
    threshold = max_error**2
    refined = refine_with_noise(H, data, threshold=threshold)
    for candidate in (refined, H):
        inliers = symmetric_errors(candidate[None], data)[0] <= threshold
        if inliers.sum() >= 4 and np.linalg.det(candidate) > 0:
            agreeing = data.select(inliers[: data.num_points], inliers[data.num_points :])
            return candidate if is_determined(candidate, agreeing) else None
    return None


def _search(
    data: Correspondences,
    *,
    max_error: float,
    confidence: float,
    max_iterations: int,
    rng: np.random.Generator,
) -> np.ndarray | None:
    """Return the best locally refined homography [3, 3] among those of many samples."""
    threshold = max_error**2
    kinds = [k for k in SAMPLE_KINDS if k[0] <= data.num_points and k[1] <= data.num_lines]
    preview = data.select(
        rng.permutation(data.num_points)[:_PREVIEW], rng.permutation(data.num_lines)[:_PREVIEW]
    )
    loss = TruncatedLoss(limit=threshold / 2)
    best, best_cost, best_sample_cost = None, np.inf, np.inf
    drawn, needed = 0, float(max_iterations) if kinds else 0.0
    while drawn < min(needed, max_iterations):
        H = _solve_chunk(data, kinds, min_volume=_MIN_VOLUME * max_error, rng=rng)
        drawn += _CHUNK
        if len(H) == 0:
            continue
        cost = sum(np.minimum(errors, threshold).sum(1) for errors in transfer_errors(H, preview))
        H = H[np.argsort(cost, kind="stable")[:_FINALISTS]]
        cost = _msac_cost(H, data, threshold)
        if cost.min() >= best_sample_cost:
            continue
        best_sample_cost = cost.min()
        H = H[np.argsort(cost, kind="stable")[:_CANDIDATES]]
        H = refine(H, data, loss=loss, max_iterations=_CANDIDATE_ITERATIONS)
        cost = _msac_cost(H, data, threshold)
        if cost.min() < best_cost:
            best, best_cost = H[cost.argmin()], cost.min()
            inliers = symmetric_errors(best[None], data)[0] <= threshold
            success = _success_probability(inliers, data.num_points, kinds)
            needed = _SAFETY * np.log1p(-confidence) / np.log1p(-np.clip(success, 1e-12, 1 - 1e-9))
    return best


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


def _msac_cost(H: np.ndarray, data: Correspondences, threshold: float) -> np.ndarray:
    """Return the sums [K] of the squared symmetric errors, each cut at the threshold."""
    return np.minimum(symmetric_errors(H, data), threshold).sum(1)


def _success_probability(
    inliers: np.ndarray, num_points: int, kinds: list[tuple[int, int]]
) -> float:
    """Return the probability that a sample of a random kind has inliers only."""
    ratios = [part.mean() if len(part) else 0.0 for part in np.split(inliers, [num_points])]
    return float(np.mean([ratios[0] ** points * ratios[1] ** lines for points, lines in kinds]))
