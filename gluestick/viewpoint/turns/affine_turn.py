"""Evidence for a turn: mutual nearest neighbours, and the affine map that most of them follow."""

import math

import cv2
import numpy as np

FEWEST_FOR_AFFINE = 4
"""An affine map fits any three matches; no fewer than this tell anything."""


def mutual_nearest(
    descriptors0: np.ndarray, descriptors1: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the descriptors that are each other's nearest.

    Args:
        descriptors0: [N0, D], rows of unit norm.
        descriptors1: [N1, D].

    Returns:
        The indices [M] in image 0 and in image 1, and the similarities [M, N1] of those in
        image 0 to all in image 1.
    """
    if len(descriptors0) == 0 or len(descriptors1) == 0:
        return np.zeros(0, int), np.zeros(0, int), np.zeros((0, len(descriptors1)))
    similarity = descriptors0 @ descriptors1.T  # [N0, N1]
    nearest1, nearest0 = similarity.argmax(axis=1), similarity.argmax(axis=0)
    matched0 = np.flatnonzero(nearest0[nearest1] == np.arange(len(nearest1)))
    return matched0, nearest1[matched0], similarity[matched0]


def affine_turn(
    positions0: np.ndarray, positions1: np.ndarray, *, max_error: float
) -> tuple[float, int]:
    """Fit an affine map to matches (RANSAC) and return how far it turns.

    Args:
        positions0: [M, 2].
        positions1: [M, 2], whose rows correspond, in the same unit.
        max_error: How far a match may be from the map, in this unit.

    Returns:
        Degrees in (-180, 180] from the x towards the y axis, and how many matches follow the
        map; none where no map is found.
    """
    if len(positions0) < FEWEST_FOR_AFFINE:
        return 0.0, 0
    affine, inliers = cv2.estimateAffine2D(
        positions0, positions1, method=cv2.RANSAC, ransacReprojThreshold=max_error
    )
    if affine is None:
        return 0.0, 0
    turn = math.degrees(math.atan2(affine[1, 0] - affine[0, 1], affine[0, 0] + affine[1, 1]))
    return turn, int(inliers.sum())
