"""Points weighed against lines by what each kind is really worth.

If the errors of all matches were independent, a homography from 500 points would be nearly
exact. It is not: a detector's keypoints are all displaced by some tenths of a pixel where light,
contrast or scale differ between the images, and a larger crowd repeats the same error. So the
matches of each kind share an unknown, affine field of displacements in image 1, of a size
relative to the noise of the kind that was measured (see docs/estimation.md). Where there are
both kinds, the fields are estimated together with the homography; they cap what a crowd can
know about the modes that the field has too, and leave the others alone. A field has Student's
distribution, so that a kind that is far off, such as the keypoints of a photographic negative,
has its own field, and a homography from the other kind.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from gluestick.estimation.planar.correspondences import (
    Correspondences,
    map_points,
    symmetric_errors,
)
from gluestick.estimation.planar.noise import NoiseMixture
from gluestick.estimation.planar.refinement import linearize_with_fields
from gluestick.geometry.points import to_homogeneous

_FIELD_SIZES = np.array([[0.5, 0.3], [0.2, 0.15]])
"""Of points and of lines: the shift, and its growth over the spread of the features, relative
to the noise of the kind."""

_FIELD_DEGREES = 4.0
"""The degrees of freedom of the fields' distribution."""

_REACH = 2.5
"""Matches within this many thresholds take part."""

_BEYOND_REACH = 3.0
"""What a match beyond reach costs more than a wrong one within, as a log-likelihood."""

_LEAST_NOISE = 1e-3
"""The smallest noise, relative to the threshold."""

_STEPS = 10
_FIT_STEPS = 5

_CONFLICT = 1.1
"""How many times the inliers that a kind has under the joint homography it has under its own."""

_LEAST_CROWD = 8
"""Fewer inliers of one kind contradict nothing: any four fit exactly."""

_LARGEST_FIELD = 3.0
"""How far a kind can be displaced, in thresholds."""


class Weighed(NamedTuple):
    """A homography refined on both kinds.

    Attributes:
        H: [3, 3] of unit norm.
        cost: The negative log-likelihood of the matches, up to a constant.
    """

    H: np.ndarray
    cost: float


class Hypotheses(NamedTuple):
    """Homographies [3, 3] that most matches agree with, where there are any.

    Attributes:
        joint: Of both kinds together.
        points: Of points alone.
        lines: Of lines alone.
    """

    joint: np.ndarray
    points: np.ndarray | None = None
    lines: np.ndarray | None = None


def weigh_hypotheses(
    hypotheses: Hypotheses, data: Correspondences, *, threshold: float
) -> np.ndarray:
    """Refine a homography on points and lines, and settle conflicts between them.

    Where one kind alone has clearly more inliers than it has under the joint homography, the
    kinds contradict each other. Then its own homography is refined too, once as it is and once
    with the other kind displaced by the difference, and the most likely result is returned.

    Args:
        hypotheses: Where the refinement starts.
        data: The correspondences, centred and scaled to order 1.
        threshold: The squared symmetric error up to which a match is an inlier.

    Returns:
        [3, 3] of unit norm.
    """
    joint = symmetric_errors(hypotheses.joint[None], data)[0] <= threshold
    results = [weigh(hypotheses.joint, data, threshold=threshold)]
    num = data.num_points
    for own, H in ((slice(num), hypotheses.points), (slice(num, None), hypotheses.lines)):
        if H is None:
            continue
        alone = symmetric_errors(H[None], data)[0] <= threshold
        if alone[own].sum() <= max(_CONFLICT * joint[own].sum() + 1, _LEAST_CROWD):
            continue
        results.append(weigh(H, data, threshold=threshold))
        if H is hypotheses.lines:
            for other in (hypotheses.joint, hypotheses.points):
                field = _field_between(H, other, data, limit=_LARGEST_FIELD**2 * threshold)
                if field is not None:
                    results.append(weigh(H, data, threshold=threshold, field=field))
    return min(results, key=lambda result: result.cost).H


def weigh(
    H: np.ndarray, data: Correspondences, *, threshold: float, field: np.ndarray | None = None
) -> Weighed:
    """Refine a homography, the noise of both kinds and their fields of displacements.

    Gauss-Newton steps on all of them, re-weighted as the noise is learnt. It starts from noise
    as large as the threshold allows, so that every match nearby has a say before the noise is
    learnt: starting small, a first estimate from too few matches would confirm itself.

    Args:
        H: [3, 3] of unit norm, close to the solution.
        data: The correspondences, centred and scaled to order 1.
        threshold: The squared symmetric error up to which a match is an inlier.
        field: [6], the displacement of the points to start from.

    Returns:
        The homography, with the cost inf where fewer than four matches are near.
    """
    kind = np.repeat([0, 1], [data.num_points, data.num_lines])
    overlapping = np.isfinite(symmetric_errors(H[None], data)[0])
    # At equal scales the whitened squared error is half the symmetric one.
    mixture = NoiseMixture(
        variance=np.full(2, threshold / 8),
        inlier_share=np.full(2, 0.9),
        reach=_REACH**2 * threshold / 2,
        kind=kind,
    )
    fields = np.zeros(12 if data.num_points and data.num_lines else 0)
    if field is not None:
        fields[:6] = field
    cost = np.inf
    for _ in range(_STEPS):
        residuals, design, tangents = _design(H, data, num_fields=len(fields))
        residuals = residuals + design[..., 8:] @ fields
        squared = (residuals**2).sum(1)
        near = (squared < mixture.reach) & overlapping
        if near.sum() < 4:
            return Weighed(H, np.inf)
        mixture = replace(mixture, kind=kind[near])
        for _ in range(_FIT_STEPS):
            mixture = mixture.fit(squared[near], floor=_LEAST_NOISE**2 * threshold)
        losses, weights = mixture(squared[near])
        precision, field_cost = _field_prior(fields, mixture.variance)
        cost = losses.sum() + field_cost
        cost += (~near).sum() * (np.log(mixture.reach) + _BEYOND_REACH)
        rows = design[near].reshape(-1, design.shape[2])
        weighted = rows * (2 * weights).repeat(2)[:, None]
        normal, gradient = weighted.T @ rows, weighted.T @ residuals[near].reshape(-1)
        normal[8:, 8:] += np.diag(precision)
        gradient[8:] += precision * fields
        normal += 1e-10 * np.trace(normal) / len(normal) * np.eye(len(normal))
        step = -np.linalg.solve(normal, gradient)
        H = H + (step[:8] @ tangents).reshape(3, 3)
        H = H / np.linalg.norm(H)
        fields = fields + step[8:]
        if np.abs(step[:8]).max() < 1e-4 * np.sqrt(threshold):
            break
    return Weighed(H, float(cost))


def _design(
    H: np.ndarray, data: Correspondences, *, num_fields: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return residuals [N, 2], their derivatives [N, 2, 8 + num_fields], and [8, 9].

    The last is the basis of the changes of H that are not of its scale; the derivatives are by
    the coefficients in it, by the field of the points and by that of the lines.
    """
    fit, fields = linearize_with_fields(H[None], data, num_fields=num_fields // 2)
    tangents = np.linalg.svd(H.reshape(1, 9))[2][1:]
    design = np.zeros((len(fit.residuals[0]), 2, 8 + num_fields))
    design[..., :8] = fit.jacobian[0] @ tangents.T
    if num_fields:
        design[: data.num_points, :, 8:14] = fields[0, : data.num_points]
        design[data.num_points :, :, 14:] = fields[0, data.num_points :]
    return fit.residuals[0], design, tangents


def _field_prior(fields: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the precisions of the fields' coefficients, re-weighted, and the cost of fields."""
    if len(fields) == 0:
        return fields, 0.0
    shift, growth = _FIELD_SIZES.T
    sizes = np.stack([shift, growth, growth] * 2, axis=1)  # [2, 6]
    precision = 1 / (sizes**2 * variance[:, None])
    distance = (precision * fields.reshape(2, 6) ** 2).sum(1)
    weight = (_FIELD_DEGREES + 6) / (_FIELD_DEGREES + distance)
    cost = (_FIELD_DEGREES + 6) / 2 * np.log1p(distance / _FIELD_DEGREES).sum()
    return (precision * weight[:, None]).ravel(), float(cost)


def _field_between(
    H: np.ndarray, other: np.ndarray | None, data: Correspondences, *, limit: float
) -> np.ndarray | None:
    """Return the field [6] of the points that turns one homography into another.

    None where it is larger than the root of the limit at most points, or undetermined.
    """
    if other is None:
        return None
    here, there = (map_points(homography[None], data.points0)[0][0].T for homography in (H, other))
    known = np.isfinite(here + there).all(1)
    here, difference = here[known], (there - here)[known]
    if len(here) < 6 or np.median((difference**2).sum(1)) > limit:
        return None
    basis = to_homogeneous(here)[:, [2, 0, 1]]
    return np.linalg.lstsq(basis, difference, rcond=None)[0].T.ravel()
