"""Where keypoints of a photograph lie in a query, from matches in views that show both alike."""

import numpy as np

from gluestick.export.arrays import Arrays
from gluestick.types import ViewFrame
from gluestick.viewpoint.attempts import PairAttempt

_CARRIED_WITHIN = 3.0
"""How far a keypoint of the photograph may be from a match, px as detectors saw the photograph."""


def carried_keypoints(
    found: PairAttempt, agree: np.ndarray, photograph: Arrays
) -> tuple[np.ndarray, np.ndarray]:
    """Return where keypoints of a photograph lie in a query.

    Of the points in space only those keypoints are known that the photograph has in the view of
    all its pairs. A match next to one says where it lies, by the map between both views.

    Args:
        found: The query, as image 0, matched with the photograph in some views.
        agree: [M] bool, which matches agree with a geometry.
        photograph: The features of the photograph; see :mod:`gluestick.export.features_h5`.

    Returns:
        [S, 2] float32 px of the query, and [S] int64, the keypoints of the photograph that lie
        there, in their order.
    """
    seen0, seen1 = found.points0[agree], found.points1[agree]
    first = int(photograph["num_junctions"])
    keypoints = photograph["keypoints"][first:].astype(np.float64)
    if len(keypoints) == 0 or len(seen1) == 0:
        return np.zeros((0, 2), np.float32), np.zeros(0, np.int64)
    distances = np.linalg.norm(keypoints[:, None] - seen1[None], axis=2)
    nearest = distances.argmin(axis=1)
    radius = _CARRIED_WITHIN / float(photograph.get("resize_scale", 1.0))
    rows = np.flatnonzero(distances[np.arange(len(keypoints)), nearest] <= radius)
    frames = found.wireframe0.views[0], found.wireframe1.views[0]
    to_query = np.linalg.solve(_linear(frames[0]), _linear(frames[1]))
    matched = nearest[rows]
    positions = seen0[matched] + (keypoints[rows] - seen1[matched]) @ to_query.T
    return positions.astype(np.float32), rows + first


def _linear(frame: ViewFrame | None) -> np.ndarray:
    return np.eye(2) if frame is None else frame.central_affine[:, :2]
