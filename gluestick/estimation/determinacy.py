"""Whether matched points and lines determine a homography at all."""

from collections.abc import Iterator

import numpy as np

from gluestick.estimation.correspondences import Correspondences
from gluestick.estimation.refinement import linearize
from gluestick.geometry.lines import line_normals
from gluestick.geometry.points import spread


def is_determined(H: np.ndarray, inliers: Correspondences) -> bool:
    """Tell whether the inliers fix their homography to better than their own extent.

    Points on one line, or lines through one (vanishing) point, leave a family of homographies
    open. Noise hides that: it moves the points off their line, and the fit follows the noise.
    So the information that noise alone would feign is subtracted from that of the inliers,
    before the uncertainty is predicted at four places, one spread away from their mean. The
    noise is taken as sqrt(2) times what the residuals tell, to be on the safe side; four
    features have no residuals, and pass unless they are exactly degenerate.

    Args:
        H: [3, 3] of unit norm and positive determinant.
        inliers: The inliers, centred and scaled to order 1.

    Returns:
        Whether the predicted standard deviation there is less than that spread.
    """
    features = np.concatenate([inliers.points0, inliers.lines0.reshape(-1, 2)])
    extent = spread(features)
    fit = linearize(H[None], inliers)
    rows = fit.jacobian.reshape(-1, 9)
    noise = np.sqrt(2 * fit.squared.sum() / max(len(rows) - 8, 1))
    information = rows.T @ rows
    for displaced in _displaced(inliers, noise):
        change = linearize(H[None], displaced).jacobian.reshape(-1, 9) - rows
        information -= change.T @ change
    tangents = np.linalg.svd(H.reshape(1, 9))[2][1:]  # [8, 9], orthogonal to H: its scale is free
    values, vectors = np.linalg.eigh(tangents @ information @ tangents.T)
    if values[0] <= 1e-12 * values[-1]:
        return False

    places = features.mean(0) + extent * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    no_lines = np.zeros((0, 2, 2))
    probes = Correspondences.from_arrays(places, places, no_lines, no_lines)
    motion = linearize(H[None], probes).jacobian.reshape(-1, 9) @ tangents.T @ vectors
    variance = noise**2 * (motion**2 / values).sum() / len(places)
    return bool(variance < extent**2)


def _displaced(data: Correspondences, noise: float) -> Iterator[Correspondences]:
    """Move every coordinate that the derivatives depend on by the noise, in turn."""
    axes = np.eye(2)
    for endpoint in range(2):
        points0, lines0, lines1 = data.points0.copy(), data.lines0.copy(), data.lines1.copy()
        points0 += noise * axes[endpoint]
        lines0[:, endpoint] += noise * line_normals(lines0)
        lines1[:, endpoint] += noise * line_normals(lines1)
        yield Correspondences.from_arrays(points0, data.points1, lines0, data.lines1)
        yield Correspondences.from_arrays(data.points0, data.points1, data.lines0, lines1)
