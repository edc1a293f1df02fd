"""In which views two images show the same plane alike, once a homography is known.

Where a plane is seen with strong foreshortening, an affine view is right in one place only. So
once the matches say by which homography the images are related, the image that shows more detail
is warped by it into the frame of the other one, enlarged, and both are matched there again.
"""

from typing import NamedTuple

import numpy as np

from gluestick.estimation import estimate_homography
from gluestick.geometry.affine import as_rows
from gluestick.geometry.homography import transform_points
from gluestick.types import ViewFrame
from gluestick.viewpoint.attempts import Frames, PairAttempt
from gluestick.viewpoint.shared_view import LEAST_SIDE, MARGIN
from gluestick.wireframe.thresholds import original_max_error

_NUM_STEPS = 33
"""How many positions are looked at along each side of image 0."""

_FEWEST_SHARED = 4
_MAX_ERROR = 3.0
"""How far matches may be from the homography, px of what the detectors saw."""


class PlanarEvidence(NamedTuple):
    """A homography between two images and what speaks for it.

    Attributes:
        H_0to1: [3, 3] float64 px, of positive determinant.
        log10_false_alarms: See :class:`gluestick.estimation.homography.HomographyEstimate`.
        share: The share of the matches that are of the plane at all.
    """

    H_0to1: np.ndarray
    log10_false_alarms: float
    share: float


def planar_evidence(attempt: PairAttempt, *, max_error: float) -> PlanarEvidence | None:
    """Estimate the homography that the matched keypoints of a pair follow.

    Args:
        attempt: The pair as it was matched.
        max_error: How far a match that is of the plane at all may be from the homography, as a
            share of the longer side, in both images.

    Returns:
        The homography, or None where there is none.
    """
    points0, points1 = attempt.points0, attempt.points1
    limit = original_max_error(attempt.wireframe0, attempt.wireframe1, _MAX_ERROR)
    estimate = estimate_homography(points0, points1, max_error=limit)
    if estimate is None:
        return None
    H = estimate.H_0to1
    errors0 = np.linalg.norm(transform_points(np.linalg.inv(H), points1) - points0, axis=1)
    errors1 = np.linalg.norm(transform_points(H, points0) - points1, axis=1)
    near = (errors0 <= max_error * max(attempt.size0)) & (errors1 <= max_error * max(attempt.size1))
    return PlanarEvidence(H, estimate.log10_false_alarms, float(near.mean()))


def projective_frames(
    H_0to1: np.ndarray, *, size0: tuple[int, int], size1: tuple[int, int], min_foreshortening: float
) -> Frames | None:
    """Return the views in which both images show alike what they have in common of a plane.

    Args:
        H_0to1: [3, 3], from px of image 0 to px of image 1, of positive determinant.
        size0: (width, height) px of image 0.
        size1: (width, height) px of image 1.
        min_foreshortening: By which factor lengths must be changed differently within what both
            images show; where they are not, an affine view will do.

    Returns:
        The views, of which one only enlarges; None where an affine view will do, or where the
        images have next to nothing in common.
    """
    shared0 = _shared(H_0to1, size0, size1)
    if len(shared0) < _FEWEST_SHARED:
        return None
    scales = _scales(H_0to1, shared0)
    if scales.max() < min_foreshortening * scales.min():
        return None
    if np.median(scales) > 1:
        return _frames(H_0to1, shared0, float(np.median(scales)), coarse=size0)
    shared1 = transform_points(H_0to1, shared0)
    frames = _frames(np.linalg.inv(H_0to1), shared1, float(1 / np.median(scales)), coarse=size1)
    return None if frames is None else (frames[1], frames[0])


def _shared(H: np.ndarray, size0: tuple[int, int], size1: tuple[int, int]) -> np.ndarray:
    """Return positions [N, 2] px of image 0, evenly spread over what image 1 shows of it."""
    sides = [np.linspace(0, length - 1, _NUM_STEPS) for length in size0]
    points = np.stack(np.meshgrid(*sides), axis=-1).reshape(-1, 2)
    points = points[points @ H[2, :2] + H[2, 2] > 0]
    mapped = transform_points(H, points)
    return points[((mapped >= -0.5) & (mapped <= np.array(size1) - 0.5)).all(axis=1)]


def _scales(H: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the geometric mean by which a homography changes lengths at positions [N, 2]."""
    depths = points @ H[2, :2] + H[2, 2]
    return np.sqrt(np.linalg.det(H) / depths**3)


def _frames(
    to_fine: np.ndarray, shared: np.ndarray, scale: float, *, coarse: tuple[int, int]
) -> Frames | None:
    """Return the views of the image with less detail and of that with more."""
    low, high = shared.min(axis=0), shared.max(axis=0)
    margin = MARGIN * (high - low)
    low, high = np.maximum(low - margin, -0.5), np.minimum(high + margin, np.array(coarse) - 0.5)
    width, height = (max(1, round(length)) for length in scale * (high - low))
    if min(width, height) < LEAST_SIDE:
        return None
    enlarging = np.diag([scale, scale, 1.0])
    enlarging[:2, 2] = -scale * low - 0.5
    homography = enlarging @ np.linalg.inv(to_fine)
    size = (width, height)
    middle = np.linalg.solve(homography, [(width - 1) / 2, (height - 1) / 2, 1])
    homography *= np.sign(middle[2])
    homography /= homography[2] @ (middle / middle[2])
    try:
        seen = ViewFrame(
            affine=as_rows(homography[:2]),
            size=size,
            perspective=tuple(homography[2].tolist()),
        )
    except ValueError:
        return None
    return ViewFrame(affine=as_rows(enlarging[:2]), size=size), seen
