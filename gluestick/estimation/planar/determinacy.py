"""Whether matched points and lines determine a homography at all."""

from collections.abc import Iterator

import numpy as np

from gluestick.estimation.planar.correspondences import Correspondences
from gluestick.estimation.planar.refinement import linearize
from gluestick.geometry.lines import line_normals


def is_determined(H: np.ndarray, inliers: Correspondences) -> bool:
    """Tell whether the inliers fix all eight degrees of freedom of their homography.

    Points on one line, or lines through one (vanishing) point, leave a family of homographies
    open. Noise hides that: it moves the points off their line, and the fit follows the noise.
    So the information that noise alone would feign is subtracted from that of the inliers, and
    what is left has to be positive in every direction. The noise is taken as sqrt(2) times
    what the residuals tell, to be on the safe side; four features have no residuals, and pass
    unless they are exactly degenerate.

    Args:
        H: [3, 3] of unit norm and positive determinant.
        inliers: The inliers, centred and scaled to order 1.
    """
    fit = linearize(H[None], inliers)
    rows = fit.jacobian.reshape(-1, 9)
    noise = np.sqrt(2 * fit.squared.sum() / max(len(rows) - 8, 1))
    information = rows.T @ rows
    for displaced in _displaced(inliers, noise):
        change = linearize(H[None], displaced).jacobian.reshape(-1, 9) - rows
        information -= change.T @ change
    tangents = np.linalg.svd(H.reshape(1, 9))[2][1:]  # [8, 9], orthogonal to H: its scale is free
    values = np.linalg.eigvalsh(tangents @ information @ tangents.T)
    return bool(values[0] > 1e-12 * values[-1])


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
