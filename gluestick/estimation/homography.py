"""A homography from matched points, from matched lines, or from both together."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import cv2
import numpy as np
import poselib

from gluestick.estimation.chance.backgrounds import homography_chances
from gluestick.estimation.chance.copies import distinct, line_representatives, point_representatives
from gluestick.estimation.chance.false_alarms import independence_weights, judge
from gluestick.estimation.inputs import (
    ArrayLike,
    as_arrays,
    check_choice,
    check_options,
    magsac_options,
    poselib_options,
)
from gluestick.estimation.planar.consensus import find_hypotheses
from gluestick.estimation.planar.correspondences import Correspondences, symmetric_errors
from gluestick.estimation.planar.determinacy import is_determined
from gluestick.estimation.planar.weighing import weigh_hypotheses
from gluestick.geometry.lines import line_lengths
from gluestick.geometry.points import line_deviation, normalizing_transform, spread

HomographySolver = Literal["gluestick", "poselib", "magsac"]
"""``gluestick``: this project's, from points and lines. ``poselib``: PoseLib's LO-RANSAC, and
``magsac``: OpenCV's MAGSAC++, both from points alone."""


class _Sampling(NamedTuple):
    """The options that all solvers share."""

    max_error: float
    confidence: float
    max_iterations: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class HomographyEstimate:
    """A homography and the matches that agree with it.

    Attributes:
        H_0to1: [3, 3] float64, maps column vectors (x, y, 1) of image 0 to image 1 in px;
            of unit norm and positive determinant.
        point_inliers: [S] bool.
        line_inliers: [M] bool; with a solver that takes points alone, which lines agree all
            the same.
        log10_false_alarms: The logarithm of the expected number of homographies that as many
            random matches agree with as well; see :mod:`gluestick.estimation.chance.false_alarms`.
        trusted: Whether that is too small for chance.
    """

    H_0to1: np.ndarray
    point_inliers: np.ndarray
    line_inliers: np.ndarray
    log10_false_alarms: float
    trusted: bool


def estimate_homography(
    points0: ArrayLike,
    points1: ArrayLike,
    lines0: ArrayLike | None = None,
    lines1: ArrayLike | None = None,
    *,
    solver: HomographySolver = "gluestick",
    max_error: float = 3.0,
    confidence: float = 0.9999,
    max_iterations: int = 100_000,
    seed: int = 0,
) -> HomographyEstimate | None:
    """Estimate the homography between two images from matched points and lines.

    LO-RANSAC (Chum, Matas and Kittler, DAGM 2003) with the score of MSAC (Torr and Zisserman,
    CVIU 2000). A minimal sample is four points, three points and a line, a point and three
    lines, or four lines, each as often as the others, so that wrong lines cannot crowd out
    good points or the other way round. Copies of a match, within ``max_error`` of it in both
    images, count once. The winner is refined on all points and lines nearby, which are weighed
    by the noise they turn out to have and by how much errors of their kind have in common; see
    :mod:`gluestick.estimation.planar.weighing`.

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
        solver: Which estimator is used; see :data:`HomographySolver`.
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
    options = _Sampling(max_error, confidence, max_iterations, seed)
    check_options("estimate_homography", **options._asdict())
    check_choice("estimate_homography", "solver", solver, get_args(HomographySolver))
    arrays = _read_matches(points0, points1, lines0, lines1)
    usable = np.minimum(line_lengths(arrays[2]), line_lengths(arrays[3])) > 1e-6 * max_error
    arrays[2:] = [lines[usable] for lines in arrays[2:]]
    data = Correspondences.from_arrays(*arrays)
    distinct_data = _without_copies(data, max_error)
    if solver == "gluestick":
        H = _from_both(distinct_data, options)
    else:
        H = _from_points(distinct_data, solver, options)
    if H is None:
        return None
    inliers = symmetric_errors(H[None], data)[0] <= max_error**2
    line_inliers = np.zeros(len(usable), dtype=bool)
    line_inliers[usable] = inliers[data.num_points :]
    verdict = judge(
        homography_chances(H, data),
        inliers,
        independence_weights([data.positions0, data.positions1]),
        sample_size=4,
    )
    return HomographyEstimate(
        H_0to1=H,
        point_inliers=inliers[: data.num_points],
        line_inliers=line_inliers,
        **verdict._asdict(),
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


def _from_both(data: Correspondences, options: _Sampling) -> np.ndarray | None:
    """Find, refine and check the homography [3, 3] of distinct matched points and lines."""
    features = [
        np.concatenate([points, lines.reshape(-1, 2)])
        for points, lines in ((data.points0, data.lines0), (data.points1, data.lines1))
    ]
    if data.num_points + data.num_lines < 4:
        return None
    scale = (spread(features[0]) + spread(features[1])) / 2
    if scale < 1e-6 * options.max_error:
        return None
    T0, T1 = (normalizing_transform(points, scale=scale) for points in features)
    arrays = (data.points0, data.points1, data.lines0, data.lines1)
    scaled = Correspondences.from_arrays(
        *(array / scale + T[:2, 2] for array, T in zip(arrays, (T0, T1) * 2, strict=True))
    )
    hypotheses = find_hypotheses(
        scaled,
        max_error=options.max_error / scale,
        confidence=options.confidence,
        max_iterations=options.max_iterations,
        rng=np.random.default_rng(options.seed),
    )
    if hypotheses is None:
        return None
    threshold = (options.max_error / scale) ** 2
    refined = weigh_hypotheses(hypotheses, scaled, threshold=threshold)
    for candidate in (refined, hypotheses.joint):
        inliers = symmetric_errors(candidate[None], scaled)[0] <= threshold
        if inliers.sum() >= 4 and np.linalg.det(candidate) > 0:
            agreeing = scaled.select(inliers[: data.num_points], inliers[data.num_points :])
            if not is_determined(candidate, agreeing):
                return None
            H = np.linalg.inv(T1) @ candidate @ T0
            return H / np.linalg.norm(H)
    return None


def _from_points(
    data: Correspondences, solver: HomographySolver, options: _Sampling
) -> np.ndarray | None:
    """Have PoseLib or OpenCV find the homography [3, 3] of distinct matched points."""
    points = data.points0, data.points1
    if data.num_points < 4:
        return None
    if solver == "poselib":
        own = poselib_options("estimate_homography", **options._asdict())
        H, _ = poselib.estimate_homography(*points, own, {})
    else:
        H, _ = cv2.findHomography(points[0], points[1], magsac_options(**options._asdict()))
    if H is None or not np.isfinite(H).all() or not abs(np.linalg.det(H)) > 0:
        return None
    H = H / np.linalg.norm(H)
    depth = points[0] @ H[2, :2] + H[2, 2]
    H = H * np.sign(np.median(depth))
    inliers = symmetric_errors(H[None], data)[0][: data.num_points] <= options.max_error**2
    straight = (
        line_deviation(each[inliers]) < 1e-6 * options.max_error
        for each in (data.points0, data.points1)
    )
    if inliers.sum() < 4 or np.linalg.det(H) <= 0 or any(straight):
        return None
    return H


def _without_copies(data: Correspondences, radius: float) -> Correspondences:
    return data.select(
        distinct(point_representatives(data.points0, data.points1, radius=radius)),
        distinct(line_representatives(data.lines0, data.lines1, radius=radius)),
    )
