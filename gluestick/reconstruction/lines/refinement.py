"""Infinite lines in space fitted to all their segments at once.

A line is a point and a unit direction, and moves by four numbers: its point and its direction
each along the two axes across it, so that neither a constraint nor a spare parameter is left. The
cost is Cauchy's loss of the distances of the segments' ends from the projected line, and
Levenberg's and Marquardt's steps are taken for all lines together, each with its own damping.
"""

from dataclasses import dataclass

import numpy as np

from gluestick.reconstruction.lines.viewing_planes import ViewingPlanes

_STEPS = 30
_CONVERGED = 1e-10
"""Relative decrease of the cost."""


@dataclass(frozen=True, kw_only=True)
class FittedLines:
    """Infinite lines.

    Attributes:
        points: [N, 3], a point of each.
        directions: [N, 3], unit vectors.
        covariances: [N, 4, 4], of the moves of point and direction along both axes across,
            if the ends of segments are off by one detection px; inf where nothing holds a line.
        axes: [N, 2, 3], these axes.
    """

    points: np.ndarray
    directions: np.ndarray
    covariances: np.ndarray
    axes: np.ndarray

    def uncertainties(self, positions: np.ndarray) -> np.ndarray:
        """Return how far off [N, K] points at positions [N, K] along the lines may be."""
        along = np.stack(np.broadcast_arrays(1.0, positions), axis=-1)  # [N, K, 2]
        blocks = self.covariances.reshape(-1, 2, 2, 2, 2)  # point or direction, axis, twice
        with np.errstate(invalid="ignore"):
            across = np.einsum("nki,niajb,nkj->nkab", along, blocks, along)
        finite = np.isfinite(across).all(axis=(-1, -2))
        largest = np.linalg.eigvalsh(np.where(finite[..., None, None], across, 0))[..., -1]
        return np.where(finite, np.sqrt(np.maximum(largest, 0)), np.inf)


def fit_lines(
    planes: ViewingPlanes,
    points: np.ndarray,
    directions: np.ndarray,
    owner: np.ndarray,
    segments: np.ndarray,
    *,
    loss_scale: float,
) -> FittedLines:
    """Fit lines to segments.

    Args:
        planes: The segments.
        points: [N, 3], a point of each line to begin with, best in the middle of what is seen.
        directions: [N, 3], the directions to begin with.
        owner: [O], the line of each observation.
        segments: [O], the segment of each observation.
        loss_scale: From which distance on an end counts less, detection px.

    Returns:
        The lines.
    """
    points = points.copy()
    directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    damping = np.full(len(points), 1e-3)
    cost = _cost(planes, points, directions, owner, segments, loss_scale)
    moving = np.ones(len(points), bool)
    for _ in range(_STEPS):
        use = moving[owner]
        axes = _axes(directions)
        hessian, gradient = _equations(
            planes, points, directions, axes, owner[use], segments[use], loss_scale
        )
        moves = _damped_solution(hessian, gradient, damping)
        moves[~moving] = 0
        shifts = np.einsum("npa,nai->npi", moves.reshape(-1, 2, 2), axes)
        new_points, new_directions = points + shifts[:, 0], directions + shifts[:, 1]
        new_directions /= np.linalg.norm(new_directions, axis=1, keepdims=True)
        new_cost = cost.copy()
        new_cost[moving] = _cost(
            planes, new_points, new_directions, owner[use], segments[use], loss_scale
        )[moving]
        better = moving & (new_cost < cost)
        settled = better & (cost - new_cost < _CONVERGED * cost)
        points[better], directions[better] = new_points[better], new_directions[better]
        cost[better] = new_cost[better]
        damping = np.where(better, damping / 5, damping * 10)
        moving &= ~settled & (damping < 1e8)
        if not moving.any():
            break
    axes = _axes(directions)
    hessian, _ = _equations(planes, points, directions, axes, owner, segments, loss_scale)
    return FittedLines(
        points=points, directions=directions, covariances=_inverses(hessian), axes=axes
    )


def _axes(directions: np.ndarray) -> np.ndarray:
    """Return two unit vectors [N, 2, 3] across unit vectors [N, 3] and each other."""
    least = np.eye(3)[np.abs(directions).argmin(axis=1)]
    first = np.cross(directions, least)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    return np.stack([first, np.cross(directions, first)], axis=1)


def _cost(
    planes: ViewingPlanes,
    points: np.ndarray,
    directions: np.ndarray,
    owner: np.ndarray,
    segments: np.ndarray,
    loss_scale: float,
) -> np.ndarray:
    distances = planes.distances(points[owner], directions[owner], segments)
    losses = np.log1p((distances / loss_scale) ** 2).sum(axis=1)
    return np.bincount(owner, losses, minlength=len(points))


def _equations(
    planes: ViewingPlanes,
    points: np.ndarray,
    directions: np.ndarray,
    axes: np.ndarray,
    owner: np.ndarray,
    segments: np.ndarray,
    loss_scale: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the normal equations [N, 4, 4] and [N, 4] of the re-weighted least squares."""
    distances, by_point, by_direction = planes.distances_and_derivatives(
        points[owner], directions[owner], segments
    )
    by_moves = np.stack([by_point, by_direction], axis=2)  # [O, 2, 2, 3]
    jacobian = np.einsum("oepi,oai->oepa", by_moves, axes[owner]).reshape(len(owner), 2, 4)
    weights = 1 / (1 + (distances / loss_scale) ** 2)
    weighted = weights[..., None] * jacobian
    hessian, gradient = np.zeros((len(points), 4, 4)), np.zeros((len(points), 4))
    np.add.at(hessian, owner, np.einsum("oei,oej->oij", weighted, jacobian))
    np.add.at(gradient, owner, np.einsum("oei,oe->oi", weighted, distances))
    return hessian, gradient


def _damped_solution(hessian: np.ndarray, gradient: np.ndarray, damping: np.ndarray) -> np.ndarray:
    diagonal = np.einsum("nii->ni", hessian)
    scale = np.sqrt(np.where(diagonal > 0, diagonal, 1))
    scaled = hessian / (scale[:, :, None] * scale[:, None, :])
    damped = scaled + damping[:, None, None] * np.eye(4) + 1e-12 * np.eye(4)
    return -np.linalg.solve(damped, (gradient / scale)[..., None])[..., 0] / scale


def _inverses(hessian: np.ndarray) -> np.ndarray:
    """Return the inverses [N, 4, 4], inf where there is none."""
    diagonal = np.einsum("nii->ni", hessian)
    scale = np.sqrt(np.where(diagonal > 0, diagonal, 1))
    outer = scale[:, :, None] * scale[:, None, :]
    values, vectors = np.linalg.eigh(hessian / outer)
    firm = values[:, 0] > 1e-12
    inverse = np.einsum("nij,nj,nkj->nik", vectors, 1 / np.where(firm[:, None], values, 1), vectors)
    return np.where(firm[:, None, None], inverse / outer, np.inf)
