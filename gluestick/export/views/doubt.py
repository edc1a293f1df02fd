"""Whether what a pair matched says how its images lie to each other, from features and matches."""

from collections.abc import Sequence

import numpy as np

from gluestick.export.arrays import Arrays
from gluestick.pair_geometry import PairMatches, estimate_geometry
from gluestick.viewpoint.attempts import PairAttempt
from gluestick.wireframe.thresholds import mean_enlargement, original_max_error


def node_counts(features: Arrays) -> tuple[int, int]:
    """Return how many nodes an image has but for those of further views, and how many junctions."""
    num_nodes = len(features["keypoints"]) - int(features.get("num_view_keypoints", 0))
    return num_nodes, int(features["num_junctions"])


def matching_support(matches: Arrays, counts: Sequence[tuple[int, int]]) -> float:
    """Return the sum of the scores of a pair over the number of keypoints of the image with fewer.

    Args:
        matches: As :func:`gluestick.export.read_matches_h5` returns them.
        counts: What :func:`node_counts` returned for both images.

    Returns:
        :attr:`gluestick.viewpoint.attempts.PairAttempt.support`; infinite where an image has no
        keypoint.
    """
    apart = "junction_matches0" in matches
    fewer = min(nodes - apart * junctions for nodes, junctions in counts)
    if fewer == 0:
        return float("inf")
    return float(matches["matching_scores0"][matches["matches0"] > -1].sum()) / fewer


def agreeing_matches(matches: Arrays, features: Sequence[Arrays]) -> np.ndarray | None:
    """Return which matches of a pair agree with a geometry.

    Args:
        matches: The matches.
        features: Those of both images; see :func:`gluestick.export.read_features_h5`.

    Returns:
        [M] bool, in the order of image 0; None where no geometry is trusted.
    """
    matched = np.flatnonzero(matches["matches0"] > -1)
    return _trusted(
        features[0]["keypoints"][matched].astype(np.float64),
        features[1]["keypoints"][matches["matches0"][matched]].astype(np.float64),
        sizes=[own["image_size"].tolist() for own in features],
        pixel=mean_enlargement(*(float(own.get("resize_scale", 1.0)) for own in features)),
    )


def agreeing_in_views(attempt: PairAttempt) -> np.ndarray | None:
    """Return the same, [M] bool or None, of a pair that was matched in some views."""
    return _trusted(
        attempt.points0,
        attempt.points1,
        sizes=[attempt.size0, attempt.size1],
        pixel=original_max_error(attempt.wireframe0, attempt.wireframe1, 1.0),
    )


def _trusted(
    points0: np.ndarray, points1: np.ndarray, *, sizes: Sequence[tuple[int, int]], pixel: float
) -> np.ndarray | None:
    lines = np.zeros((0, 2, 2))
    geometry = estimate_geometry(
        PairMatches(
            points0=points0,
            points1=points1,
            lines0=lines,
            lines1=lines,
            image_size0=sizes[0],
            image_size1=sizes[1],
            pixel=pixel,
        )
    )
    return geometry.point_inliers if geometry.trusted else None
