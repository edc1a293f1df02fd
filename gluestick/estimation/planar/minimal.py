"""Homographies from minimal samples of four matched points and lines, many at a time.

Four points are a projective basis, and so are four lines. Three lines and a point are turned
into four points (the corners of the triangle, and the point), three points and a line into
four lines. Two points and two lines do not determine a homography (Hartley and Zisserman,
"Multiple View Geometry", 2nd edition, section 4.1.4), so they are never sampled.
"""

import numpy as np

from gluestick.estimation.planar.correspondences import Correspondences, adjugate, cross
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
        min_volume: A sample is degenerate if three of its points (as (x, y, 1)) or of its
            lines (as coefficients with unit normals) span a smaller volume in either image,
            or if a point and a line of a mixed sample are closer than this.

    Returns:
        [K', 3, 3] of unit norm and positive determinant, K' <= K.
    """
    basis0, volume0 = _projective_basis(
        to_homogeneous(data.points0[points]), data.frames0.across[lines]
    )
    basis1, volume1 = _projective_basis(
        to_homogeneous(data.points1[points]), data.frames1.across[lines]
    )
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


def _projective_basis(points: np.ndarray, lines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the maps of the canonical projective basis to samples, and how regular they are.

    Args:
        points: [K, P, 3], homogeneous.
        lines: [K, 4 - P, 3], coefficients.

    Returns:
        Matrices [K, 3, 3], on points for P = 4 and 1 and on lines for P = 3 and 0; and [K], 0
        for degenerate samples: the smallest absolute volume that three points, or three
        lines, of the sample span, or distance of a point from a line.
    """
    if points.shape[1] in (0, 4):
        quadruple = points if points.shape[1] == 4 else lines
        columns, fourth = quadruple[:, :3].swapaxes(-1, -2), quadruple[:, 3]
        weights = _coordinates(columns, fourth)
        smallest = np.abs(weights).min(1)
    else:
        three, one = (points, lines) if points.shape[1] == 3 else (lines, points)
        columns = cross(three, three[:, [1, 2, 0]]).swapaxes(-1, -2)
        fourth = one[:, 0]
        weights = _coordinates(columns, fourth)
        smallest = np.abs(three @ fourth[..., None])[..., 0].min(1)
        quadruple = three
    volume = (quadruple[:, 0] * cross(quadruple[:, 1], quadruple[:, 2])).sum(1)
    return columns * weights[:, None], np.minimum(smallest, np.abs(volume))


def _coordinates(columns: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Solve columns [K, 3, 3] times x = vector [K, 3], up to the scale of x."""
    return (adjugate(columns) @ vector[..., None])[..., 0]
