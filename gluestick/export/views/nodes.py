"""Keypoints that were found in further views of an image, among those that it has already.

The features of an image are those of one view, in which it is matched with most others. What a pair
matches in other views is brought to them: a keypoint that is there already is taken for the same,
so that it belongs to one track, and others are added behind all nodes. What is there keeps its
index, and adding the same again changes nothing.
"""

from collections.abc import Sequence

import numpy as np

from gluestick.export.arrays import Arrays

JOINED_WITHIN = 1.5
"""Up to which distance keypoints are taken for one, px as detectors saw the image as a whole."""


def add_view_nodes(arrays: Arrays, seen: Arrays, nodes: np.ndarray) -> tuple[Arrays, np.ndarray]:
    """Add keypoints of a further view to the features of an image.

    Args:
        arrays: The features; see :func:`gluestick.export.read_features_h5`.
        seen: Those of the view, in px of the image, as
            :func:`gluestick.export.arrays.wireframe_arrays` returns them.
        nodes: [M] int64, the keypoints of the view that are to be among the features.

    Returns:
        The features with those that they lack, and [M] int64, the index of each among them. A
        keypoint is the nearest one of the first view within 1.5 px of what the detector saw;
        otherwise the first that was added within that distance; otherwise it is added.
    """
    keypoints, positions = arrays["keypoints"], seen["keypoints"][nodes]
    num_own = len(keypoints) - int(arrays.get("num_view_keypoints", 0))
    known = np.concatenate([keypoints, positions])
    distances = np.linalg.norm(known[None] - positions[:, None], axis=2)
    distances[:, : int(arrays["num_junctions"])] = np.inf
    places, rows = places_among(distances, num_own=num_own, radius=joining_radius(arrays))
    chosen = nodes[rows]
    return {
        **arrays,
        "keypoints": np.concatenate([keypoints, seen["keypoints"][chosen]]),
        "scores": np.concatenate([arrays["scores"], seen["scores"][chosen]]),
        "descriptors": np.concatenate(
            [arrays["descriptors"], seen["descriptors"][:, chosen]], axis=1
        ),
        "num_view_keypoints": np.array(len(keypoints) - num_own + len(rows), dtype=np.int64),
    }, places


def joining_radius(arrays: Arrays) -> float:
    """Return up to which distance what an image shows is taken for one, px of the image."""
    return JOINED_WITHIN / float(arrays.get("resize_scale", 1.0))


def places_among(
    distances: np.ndarray, *, num_own: int, radius: float
) -> tuple[np.ndarray, list[int]]:
    """Find what a further view shows among what is known of an image.

    Args:
        distances: [M, K + M], from the M of the view to the K that are known, and to the M.
        num_own: How many of the K were found in the first view.
        radius: Up to which distance two are taken for one.

    Returns:
        [M] int64, the index of each: the nearest of the first view within the radius; otherwise
        the first of the others within it; otherwise a new one behind them. And the rows of those
        that are new.
    """
    num_known = distances.shape[1] - len(distances)
    within = distances <= radius
    places, rows = np.empty(len(distances), dtype=np.int64), list[int]()
    for row, near in enumerate(within):
        others = [*near[num_own:num_known], *near[num_known:][rows]]
        if near[:num_own].any():
            places[row] = distances[row, :num_own].argmin()
        elif any(others):
            places[row] = num_own + others.index(True)
        else:
            places[row] = num_known + len(rows)
            rows.append(row)
    return places, rows


def node_matches(
    nodes: Sequence[np.ndarray], scores: np.ndarray, num_nodes: Sequence[int]
) -> Arrays:
    """Return matches of some nodes as a match file has them, each node in the best one only.

    Args:
        nodes: Of both images [M] int64.
        scores: [M] in [0, 1].
        num_nodes: The numbers of all nodes of both images.

    Returns:
        ``matches0`` [P0], ``matches1`` [P1], ``matching_scores0`` and ``matching_scores1``.
    """
    arrays: Arrays = {}
    for side, count in enumerate(num_nodes):
        arrays[f"matches{side}"] = np.full(count, -1, dtype=np.int64)
        arrays[f"matching_scores{side}"] = np.zeros(count, dtype=np.float32)
    for row in np.argsort(-scores, kind="stable").tolist():
        own = [int(side[row]) for side in nodes]
        if all(arrays[f"matches{side}"][node] < 0 for side, node in enumerate(own)):
            for side, node in enumerate(own):
                arrays[f"matches{side}"][node] = own[1 - side]
                arrays[f"matching_scores{side}"][node] = scores[row]
    return arrays
