"""Homographies from minimal samples of four matched points and lines, many at a time.

Four points are a projective basis, and so are four lines. Three lines and a point are turned
into four points (the corners of the triangle, and the point), three points and a line into
four lines. Two points and two lines do not determine a homography (Hartley and Zisserman,
"Multiple View Geometry", 2nd edition, section 4.1.4), so they are never sampled.
"""

import numpy as np

from gluestick.estimation.correspondences import Correspondences, adjugate, cross
from gluestick.geometry.points import to_homogeneous

SAMPLE_KINDS = ((4, 0), (3, 1), (1, 3), (0, 4))
"""(points, lines) of the samples that determine a homography."""


def draw_samples(
    rng: np.random.Generator, *, population: int, size: int, number: int
) -> np.ndarray:
    """Draw samples without repetition inside a sample.

    Args:
        rng: The source of randomness.
        population: From how many items; at least ``size``.
        size: The items in a sample.
        number: The number K of samples.

    Returns:
        [K, size] int64 indices.
    """
    samples = np.empty((number, size), dtype=np.int64)
    for column in range(size):
        draw = rng.integers(population - column, size=number)
        for taken in np.sort(samples[:, :column], axis=1).T:
            draw += draw >= taken
        samples[:, column] = draw
    return samples


def solve_samples(
    data: Correspondences, points: np.ndarray, lines: np.ndarray, *, min_volume: float
) -> np.ndarray:
    """Compute the homographies of many samples of one kind.

    A sample is dropped if it is degenerate, if its homography mirrors the image, or if one of
    its features touches the line that the homography sends to infinity.

    Args:
        data: Correspondences, centred and scaled to order 1.
        points: [K, P] indices of points.
        lines: [K, 4 - P] indices of lines, where (P, 4 - P) is one of ``SAMPLE_KINDS``.
        min_volume: A sample is degenerate if three of its four points (or lines, as vectors
            of length about 1) span a smaller volume in either image; for points that is
            twice the area of their triangle.

    Returns:
        [K', 3, 3] of unit norm and positive determinant, K' <= K.
    """
    quadruple0 = _as_quadruple(to_homogeneous(data.points0[points]), data.frames0.across[lines])
    quadruple1 = _as_quadruple(to_homogeneous(data.points1[points]), data.frames1.across[lines])
    basis0, volume0 = _projective_basis(quadruple0)
    basis1, volume1 = _projective_basis(quadruple1)
    regular = np.minimum(volume0, volume1) > min_volume
    points, lines = points[regular], lines[regular]
    H = basis1[regular] @ adjugate(basis0[regular])
    if points.shape[1] in (0, 3):
        H = adjugate(H).swapaxes(-1, -2)
    H /= np.linalg.norm(H, axis=(1, 2), keepdims=True)

    endpoints = data.lines0[lines].reshape(len(lines), 2 * lines.shape[1], 2)
    anchors = to_homogeneous(np.concatenate([data.points0[points], endpoints], axis=1))
    depth = (anchors @ H[:, 2, :, None])[..., 0]
    H *= np.sign(depth[:, :1, None])
    determinant = (H[:, 0] * cross(H[:, 1], H[:, 2])).sum(1)
    return H[(depth * depth[:, :1] > 0).all(1) & (determinant > 1e-9)]


def _as_quadruple(points: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """Turn samples [K, P, 3], [K, 4 - P, 3] into four points (P = 4, 1) or lines [K, 4, 3]."""
    if points.shape[1] == 4:
        return points
    if lines.shape[1] == 4:
        return lines
    three, one = (points, lines) if points.shape[1] == 3 else (lines, points)
    joins = cross(three, three[:, [1, 2, 0]])
    joins /= np.maximum(np.linalg.norm(joins, axis=-1, keepdims=True), 1e-12)
    return np.concatenate([joins, one], axis=1)


def _projective_basis(quadruple: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return matrices [K, 3, 3] that map the canonical projective basis to [K, 4, 3].

    The second result [K] is the smallest volume that three of the four vectors span.
    """
    columns = quadruple[:, :3].swapaxes(-1, -2)
    cofactors = adjugate(columns)
    weights = (cofactors @ quadruple[:, 3, :, None])[..., 0]
    volume = (cofactors[:, 0] * columns[:, :, 0]).sum(1)
    smallest = np.minimum(np.abs(weights).min(1), np.abs(volume))
    return columns * weights[:, None], smallest
