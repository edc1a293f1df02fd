"""Non-linear refinement of homographies on matched points and lines."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from gluestick.estimation.planar.correspondences import Correspondences, map_points
from gluestick.geometry.points import to_homogeneous

_BEYOND_INFINITY = 1e6
"""The residual of a feature that is mapped beyond infinity."""


class Loss(Protocol):
    """A robust loss of squared errors."""

    def __call__(self, squared: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the losses and the weights (the losses' derivatives), both [K, N]."""


@dataclass(frozen=True)
class TruncatedLoss:
    """The squared error up to a limit, as in MSAC (Torr and Zisserman, CVIU 2000).

    Attributes:
        limit: The largest squared error that counts.
    """

    limit: float

    def __call__(self, squared: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the losses and the weights of [K, N] squared errors."""
        return np.minimum(squared, self.limit), (squared < self.limit).astype(np.float64)


class Linearization(NamedTuple):
    """Whitened residuals of N = S + M features under K homographies, points first.

    Attributes:
        residuals: [K, N, 2] in units of the noise of one coordinate.
        jacobian: [K, N, 2, 9], their derivatives by the entries of H.
        squared: [K, N], the squared norms of the residuals.
    """

    residuals: np.ndarray
    jacobian: np.ndarray
    squared: np.ndarray


def linearize(H: np.ndarray, data: Correspondences) -> Linearization:
    """Whiten the residuals by their covariance to first order: the Sampson error.

    Every feature has two residuals: the coordinates of a point, or the distances of both
    mapped endpoints from the line of image 1. Equal, independent noise is assumed on the
    coordinates of points and on the endpoints of lines, perpendicular to the lines, in both
    images. H carries it from image 0; from the endpoints in image 1 it is carried along the
    line to where a mapped endpoint falls. Hartley and Zisserman, "Multiple View Geometry",
    2nd edition, section 4.2.6, derive it for points; exchanging the images changes the errors
    to second order only.

    Args:
        H: [K, 3, 3].
        data: The correspondences.

    Returns:
        Residuals and derivatives; 1e6 and 0 where a feature is mapped beyond infinity.
    """
    return linearize_with_fields(H, data, num_fields=0)[0]


def linearize_with_fields(
    H: np.ndarray, data: Correspondences, *, num_fields: int = 6
) -> tuple[Linearization, np.ndarray]:
    """Also tell how the residuals change if what is mapped is displaced in image 1.

    Args:
        H: [K, 3, 3].
        data: The correspondences.
        num_fields: 6, or 0 for none.

    Returns:
        What :func:`linearize` does; and [K, N, 2, num_fields], the derivatives of the residuals
        by the coefficients of an affine field of displacements: the shift in x and its growth
        with x and y, then the same for the shift in y.
    """
    num, num_points = len(H), data.num_points
    # Residual r of a feature is n . H(x) + c: two x, n and c per feature.
    across = data.frames1.across.repeat(2, axis=0)
    anchors = np.concatenate([data.points0.repeat(2, axis=0), data.lines0.reshape(-1, 2)])
    normals = np.concatenate([np.tile(np.eye(2), (num_points, 1)), across[:, :2]])
    offsets = np.concatenate([-data.points1.reshape(-1), across[:, 2]])

    positions, depth = map_points(H, anchors)  # [K, 2, 2N], [K, 2N]
    beyond = ~(depth > 0)
    x, y = np.where(beyond[:, None], 0, positions).swapaxes(0, 1)
    projected = normals[:, 0] * x + normals[:, 1] * y
    residuals = (projected + offsets).reshape(num, -1, 2)

    rows = np.empty((*x.shape, 3))  # [K, 2N, 3], the derivatives by H (x, y, 1)
    rows[..., :2] = normals
    rows[..., 2] = -projected
    rows /= np.where(beyond, 1, depth)[..., None]
    derivatives = np.empty((*x.shape, 9 + num_fields))
    derivatives[..., :9] = (rows[..., :, None] * to_homogeneous(anchors)[:, None]).reshape(
        *x.shape, 9
    )
    if num_fields:
        basis = np.stack([np.ones_like(x), x, y], axis=2)
        derivatives[..., 9:] = (normals[:, :, None] * basis[:, :, None]).reshape(*x.shape, 6)
    derivatives = derivatives.reshape(num, -1, 2, 9 + num_fields)
    gradient = (rows @ H[:, :, :2]).reshape(num, -1, 2, 2)  # by the (x, y) of image 0
    covariance = np.concatenate(
        [
            _point_covariance(gradient[:, :num_points]),
            _line_covariance(gradient[:, num_points:], x, y, data),
        ],
        axis=2,
    )
    _whiten(covariance, residuals[..., None], derivatives)
    outside = beyond[:, ::2] | beyond[:, 1::2]
    residuals[outside] = _BEYOND_INFINITY
    derivatives[outside] = 0
    squared = residuals[..., 0] ** 2 + residuals[..., 1] ** 2
    jacobian, fields = derivatives[..., :9], derivatives[..., 9:]
    return Linearization(residuals, jacobian, squared), fields


def _whiten(covariance: np.ndarray, *arrays: np.ndarray) -> None:
    """Apply the inverse Cholesky factors of covariances to [K, N, 2, D] arrays, in place.

    Args:
        covariance: The entries (0,0), (0,1), (1,1) [3, K, N].
        arrays: What is multiplied from the left.
    """
    variance0, mixed, variance1 = covariance
    scale0 = 1 / np.sqrt(variance0)
    mixing = mixed * scale0
    scale1 = 1 / np.sqrt(np.maximum(variance1 - mixing**2, 1e-12))
    for values in arrays:
        values[:, :, 0] *= scale0[..., None]
        values[:, :, 1] -= mixing[..., None] * values[:, :, 0]
        values[:, :, 1] *= scale1[..., None]


def _point_covariance(gradient: np.ndarray) -> np.ndarray:
    """Return the entries (0,0), (0,1), (1,1) [3, K, S] of the residuals' covariances."""
    x, y = gradient[:, :, 0], gradient[:, :, 1]  # [K, S, 2]
    return np.stack(
        [
            1 + x[..., 0] ** 2 + x[..., 1] ** 2,
            x[..., 0] * y[..., 0] + x[..., 1] * y[..., 1],
            1 + y[..., 0] ** 2 + y[..., 1] ** 2,
        ]
    )


def _line_covariance(
    gradient: np.ndarray, x: np.ndarray, y: np.ndarray, data: Correspondences
) -> np.ndarray:
    """Return the entries (0,0), (0,1), (1,1) [3, K, M] of the residuals' covariances."""
    normals = data.frames0.across[:, None, :2]
    across = gradient[..., 0] * normals[..., 0] + gradient[..., 1] * normals[..., 1]
    x, y = (v[:, 2 * data.num_points :].reshape(len(x), -1, 2) for v in (x, y))
    along = data.frames1.along.T[..., None]
    t = along[0] * x + along[1] * y + along[2]  # [K, M, 2]
    s = 1 - t
    variance = across**2 + s**2 + t**2
    covariance = s[..., 0] * s[..., 1] + t[..., 0] * t[..., 1]
    return np.stack([variance[..., 0], covariance, variance[..., 1]])


def refine(H: np.ndarray, data: Correspondences, *, loss: Loss, max_iterations: int) -> np.ndarray:
    """Minimise a robust loss over the entries of homographies by Levenberg-Marquardt.

    Args:
        H: [K, 3, 3], refined independently of each other.
        data: The correspondences, centred and scaled to order 1.
        loss: The loss of the squared whitened error of a feature.
        max_iterations: At most this many steps.

    Returns:
        [K, 3, 3] of unit norm.
    """
    H = H / np.linalg.norm(H, axis=(1, 2), keepdims=True)
    damping = np.full(len(H), 1e-3)
    current = linearize(H, data)
    losses, weights = loss(current.squared)
    cost = losses.sum(1)
    for _ in range(max_iterations):
        candidate = H + _step(H, current, weights, damping)
        candidate /= np.linalg.norm(candidate, axis=(1, 2), keepdims=True)
        proposed = linearize(candidate, data)
        losses, proposed_weights = loss(proposed.squared)
        proposed_cost = losses.sum(1)
        better = proposed_cost < cost
        converged = np.abs(cost - proposed_cost) <= 1e-9 * np.abs(cost)
        H[better] = candidate[better]
        for values, new in zip(current, proposed, strict=True):
            values[better] = new[better]
        weights[better] = proposed_weights[better]
        cost[better] = proposed_cost[better]
        damping *= np.where(better, 0.1, 10)
        if (converged | (damping > 1e6)).all():
            break
    return H


def _step(
    H: np.ndarray, current: Linearization, weights: np.ndarray, damping: np.ndarray
) -> np.ndarray:
    """Solve the damped normal equations, without a step along H: its scale is free."""
    num = len(H)
    jacobian = current.jacobian.reshape(num, -1, 9)
    weighted = jacobian * weights.repeat(2, axis=1)[..., None]
    normal = weighted.swapaxes(-1, -2) @ jacobian
    gradient = weighted.swapaxes(-1, -2) @ current.residuals.reshape(num, -1, 1)
    h = H.reshape(num, 9, 1)
    scale = np.trace(normal, axis1=1, axis2=2)[:, None, None] / 9 + 1e-12
    normal += scale * (h @ h.swapaxes(-1, -2) + damping[:, None, None] * np.eye(9))
    return -np.linalg.solve(normal, gradient).reshape(num, 3, 3)
