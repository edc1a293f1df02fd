"""How probable it is that a random match has an error as small as the one found.

A random match falls anywhere in the bounding rectangle of all matches. The probability is that
of the image in which it is larger.
"""

from typing import NamedTuple

import numpy as np

from gluestick.estimation.planar.correspondences import (
    Correspondences,
    LineEquations,
    adjugate,
    map_points,
    transfer_errors,
)
from gluestick.geometry.lines import line_lengths
from gluestick.geometry.points import to_homogeneous

_ANGLE = 0.1
"""Radians within which two lines count as parallel."""

_PRIOR_PAIRS = 10
"""Pairs of lines in random directions that are added to those found."""


class Extent(NamedTuple):
    """The rectangle that the matches cover in an image.

    Attributes:
        area: In px squared.
        diagonal: In px.
        perimeter: In px.
    """

    area: float
    diagonal: float
    perimeter: float

    @classmethod
    def of(cls, points: np.ndarray, lines: np.ndarray | None = None) -> "Extent":
        """Measure [S, 2] points and [M, 2, 2] lines."""
        positions = points if lines is None else np.concatenate([points, lines.reshape(-1, 2)])
        width, height = np.ptp(positions, axis=0) if len(positions) else (0.0, 0.0)
        return cls(
            area=max(float(width * height), 1e-12),
            diagonal=float(np.hypot(width, height)),
            perimeter=float(2 * (width + height)),
        )


def homography_chances(H: np.ndarray, data: Correspondences) -> np.ndarray:
    """Return the probabilities of the transfer errors of a homography.

    A point has a position within a disc, whose radius is the error. A line has distances of
    both endpoints within a disc: a share e^2 pi / (length perimeter) of the lines that cross
    the rectangle, by the density of lines that motions leave unchanged (Santalo, "Integral
    Geometry and Geometric Probability", 1976, chapter 3), of which those that overlap are
    (both lengths) / (mean chord), where the mean chord is pi area / perimeter. Where many lines
    share their directions, it is more likely by as much as they are more often parallel.

    Args:
        H: [3, 3] of positive determinant, in px.
        data: The correspondences in px.

    Returns:
        [S + M] in [0, 1], points first.
    """
    forward = _transfer_chances(H[None], data)
    backward = _transfer_chances(adjugate(H[None]), data.swap())
    return np.maximum(forward, backward)


def _transfer_chances(H: np.ndarray, data: Correspondences) -> np.ndarray:
    points, lines = (errors[0] for errors in transfer_errors(H, data))
    area = Extent.of(data.points1, data.lines1).area
    mapped = map_points(H, data.lines0.reshape(-1, 2))[0][0].T.reshape(-1, 2, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = line_lengths(data.lines1) / line_lengths(mapped)
        growth = np.sqrt(_growth(mapped, data.frames1).prod(axis=1))
        lines = lines * growth * (1 + ratio) * _concentration(data.lines1)
    chances = np.concatenate([np.pi * points, lines]) / area
    return np.where(np.isnan(chances), 1.0, np.minimum(chances, 1.0))


def _growth(lines: np.ndarray, frames: LineEquations) -> np.ndarray:
    """Return by what [M, 2] the squared distances of endpoints are divided."""
    t = (to_homogeneous(lines) * frames.along[:, None]).sum(2)
    return 1 - t + t**2


def _concentration(lines: np.ndarray) -> float:
    """Return how much more often than random ones segments [M, 2, 2] are parallel."""
    x, y = (lines[:, 1] - lines[:, 0]).T
    angles = np.arctan2(y, x) % np.pi
    apart = np.abs(angles[:, None] - angles)
    parallel = (np.minimum(apart, np.pi - apart) < _ANGLE).sum() - len(lines)
    number, random = len(lines) * (len(lines) - 1), 2 * _ANGLE / np.pi
    share = (parallel + random * _PRIOR_PAIRS) / (number + _PRIOR_PAIRS)
    return max(1.0, share / random)


def epipolar_chances(F: np.ndarray, points0: np.ndarray, points1: np.ndarray) -> np.ndarray:
    """Return the probabilities of the distances of points from their epipolar lines.

    The band within a distance d of a line covers at most 2 d diagonal of the rectangle.

    Args:
        F: [3, 3], in px.
        points0: [S, 2] px.
        points1: [S, 2] px.

    Returns:
        [S] in [0, 1].
    """
    x0, x1 = to_homogeneous(points0), to_homogeneous(points1)
    lines1, lines0 = x0 @ F.T, x1 @ F
    residual = np.abs((x1 * lines1).sum(1))
    chances = []
    for lines, points in ((lines0, points0), (lines1, points1)):
        extent = Extent.of(points)
        slope = np.maximum(np.hypot(lines[:, 0], lines[:, 1]), 1e-300)
        chances.append(2 * residual / slope * extent.diagonal / extent.area)
    return np.minimum(np.maximum(*chances), 1.0)


def parallax_chances(
    H: np.ndarray, F: np.ndarray, points0: np.ndarray, points1: np.ndarray
) -> np.ndarray:
    """Return the probabilities of epipolar distances where a homography is already known.

    A point that is not where the homography maps it has moved along its epipolar line, if the
    epipolar geometry is right, and in any direction if not. At a distance r from where it was
    expected, it is within d of the line in a share of 2 / pi asin(d / r) of the directions.

    Args:
        H: [3, 3] of positive determinant, in px.
        F: [3, 3], in px.
        points0: [S, 2] px.
        points1: [S, 2] px.

    Returns:
        [S] in [0, 1].
    """
    x0, x1 = to_homogeneous(points0), to_homogeneous(points1)
    lines1, lines0 = x0 @ F.T, x1 @ F
    residual = np.abs((x1 * lines1).sum(1))
    chances = []
    for matrix, lines, source, target in (
        (H, lines1, points0, points1),
        (adjugate(H), lines0, points1, points0),
    ):
        mapped = map_points(matrix[None], source)[0][0].T
        away = np.linalg.norm(mapped - target, axis=1)
        slope = np.maximum(np.hypot(lines[:, 0], lines[:, 1]), 1e-300)
        sine = np.minimum(residual / slope / np.maximum(away, 1e-12), 1.0)
        chances.append(np.where(np.isnan(away), 1.0, 2 / np.pi * np.arcsin(sine)))
    return np.maximum(*chances)


def projection_chances(
    point_errors: np.ndarray, line_errors: np.ndarray, lengths: np.ndarray, extent: Extent
) -> np.ndarray:
    """Return the probabilities of reprojection errors.

    A point has a position within a disc. A line has distances of both endpoints from the
    projected line whose sum is at most the error; see :func:`homography_chances`.

    Args:
        point_errors: [S] px.
        line_errors: [M] px, the sums of both distances.
        lengths: [M] px, of the segments in the image.
        extent: What the matches cover there.

    Returns:
        [S + M] in [0, 1], points first.
    """
    points = np.pi * point_errors**2 / extent.area
    lines = 2 * line_errors**2 / (lengths * max(extent.perimeter, 1e-12))
    return np.minimum(np.concatenate([points, lines]), 1.0)
