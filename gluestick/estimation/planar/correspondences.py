"""Matched points and lines of two images, and how well homographies map them.

A matched line is the same line of the scene seen twice, but its endpoints are arbitrary: they
need not correspond, nor come in the same order. So only distances perpendicular to a line
count, and that the two segments overlap. The squared errors of a point and of a line have two
degrees of freedom each and, with equal noise, the same expectation, so one threshold serves
both and they are added up without further weights.
"""

from dataclasses import dataclass

import numpy as np

from gluestick.geometry.line_frames import LineFrames
from gluestick.geometry.points import to_homogeneous


@dataclass(frozen=True)
class LineEquations:
    """Positions along line segments and across them, as products with (x, y, 1).

    Attributes:
        along: [M, 3], for the position along the line, 0 at the first and 1 at the second
            endpoint.
        across: [M, 3], for the signed distance from the line.
    """

    along: np.ndarray
    across: np.ndarray

    @classmethod
    def from_lines(cls, lines: np.ndarray) -> "LineEquations":
        """Build the equations of [M, 2, 2] segments of positive length."""
        frames = LineFrames.of(lines)
        return cls(frames.fraction_equation(), frames.equations()[1])


@dataclass(frozen=True)
class Correspondences:
    """Matched points and lines; all lines have positive length.

    Attributes:
        points0: [S, 2].
        points1: [S, 2].
        lines0: [M, 2, 2].
        lines1: [M, 2, 2].
        frames0: The equations of ``lines0``.
        frames1: The equations of ``lines1``.
    """

    points0: np.ndarray
    points1: np.ndarray
    lines0: np.ndarray
    lines1: np.ndarray
    frames0: LineEquations
    frames1: LineEquations

    @classmethod
    def from_arrays(
        cls, points0: np.ndarray, points1: np.ndarray, lines0: np.ndarray, lines1: np.ndarray
    ) -> "Correspondences":
        """Add the equations of the lines."""
        frames = (LineEquations.from_lines(lines) for lines in (lines0, lines1))
        return cls(points0, points1, lines0, lines1, *frames)

    @property
    def num_points(self) -> int:
        """The number S of points."""
        return len(self.points0)

    @property
    def num_lines(self) -> int:
        """The number M of lines."""
        return len(self.lines0)

    @property
    def positions0(self) -> np.ndarray:
        """[S + M, 2], where the points and the middles of the lines are in image 0."""
        return np.concatenate([self.points0, self.lines0.mean(1)])

    @property
    def positions1(self) -> np.ndarray:
        """[S + M, 2], the same in image 1."""
        return np.concatenate([self.points1, self.lines1.mean(1)])

    def select(self, points: np.ndarray, lines: np.ndarray) -> "Correspondences":
        """Return the points and the lines with the given indices or masks."""
        return Correspondences.from_arrays(
            self.points0[points], self.points1[points], self.lines0[lines], self.lines1[lines]
        )

    def swap(self) -> "Correspondences":
        """Return the same matches with the images exchanged."""
        return Correspondences(
            self.points1, self.points0, self.lines1, self.lines0, self.frames1, self.frames0
        )


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cross products of [..., 3] vectors; much faster than numpy's on small ones."""
    next0, next1 = [1, 2, 0], [2, 0, 1]
    return a[..., next0] * b[..., next1] - a[..., next1] * b[..., next0]


def adjugate(H: np.ndarray) -> np.ndarray:
    """Return the adjugates of [..., 3, 3] matrices: the inverse times the determinant."""
    return cross(H[..., [1, 2, 0], :], H[..., [2, 0, 1], :]).swapaxes(-1, -2)


def map_points(H: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Map points by many homographies.

    Args:
        H: [K, 3, 3].
        points: [N, 2].

    Returns:
        The positions [K, 2, N] and the third homogeneous coordinates [K, N]. Where the latter
        is not positive, the point is mapped beyond infinity and its position is NaN.
    """
    mapped = (H.reshape(-1, 3) @ to_homogeneous(points).T).reshape(len(H), 3, -1)
    depth = mapped[:, 2]
    return mapped[:, :2] / np.where(depth > 0, depth, np.nan)[:, None], depth


def transfer_errors(H: np.ndarray, data: Correspondences) -> tuple[np.ndarray, np.ndarray]:
    """Return the squared errors in image 1 of the features of image 0, mapped.

    For a point, the squared distance from its match. For a line, the sum over both mapped
    endpoints of the squared distance from the line of the match. A line through two endpoints
    of equal noise is less certain beyond them, with (1-t)^2 + t^2 times their variance at the
    position t (0 and 1 at the endpoints); the squared distance is divided by the growth of the
    variance, so that a short piece of a long line is not blamed for its direction.

    Args:
        H: [K, 3, 3].
        data: The correspondences.

    Returns:
        The errors of points [K, S] and of lines [K, M], inf where a feature is mapped beyond
        infinity or where a mapped line and its match do not overlap.
    """
    positions, _ = map_points(H, np.concatenate([data.points0, data.lines0.reshape(-1, 2)]))
    x, y = positions[:, 0], positions[:, 1]
    num = data.num_points
    points = (x[:, :num] - data.points1[:, 0]) ** 2 + (y[:, :num] - data.points1[:, 1]) ** 2

    x, y = (values[:, num:].reshape(len(H), -1, 2) for values in (x, y))  # [K, M, endpoint]
    along, across = (rows.T[..., None] for rows in (data.frames1.along, data.frames1.across))
    t = along[0] * x + along[1] * y + along[2]
    distance = across[0] * x + across[1] * y + across[2]
    growth = 1 - t + t**2  # (1 + (1-t)^2 + t^2) / 2, with the noise of the mapped endpoint
    squared = distance**2 / growth
    lines = squared[..., 0] + squared[..., 1]
    overlap = (np.fmin(t[..., 0], t[..., 1]) < 1) & (np.fmax(t[..., 0], t[..., 1]) > 0)
    return np.where(np.isnan(points), np.inf, points), np.where(
        overlap & ~np.isnan(lines), lines, np.inf
    )


def symmetric_errors(H: np.ndarray, data: Correspondences) -> np.ndarray:
    """Return the mean of the squared transfer errors in both images.

    Args:
        H: [K, 3, 3] of positive determinant.
        data: The correspondences.

    Returns:
        [K, S + M], points first.
    """
    forward = np.concatenate(transfer_errors(H, data), axis=1)
    backward = np.concatenate(transfer_errors(adjugate(H), data.swap()), axis=1)
    return (forward + backward) / 2
