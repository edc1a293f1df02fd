"""Lines that were found in further views of an image, among those that it has already.

As :mod:`gluestick.export.views.nodes` does for keypoints: a line that lies on one that is there is
taken for it, others are added behind all lines, and their ends behind all nodes.
"""

from collections.abc import Sequence

import numpy as np
import torch

from gluestick.export.arrays import Arrays
from gluestick.export.views.nodes import (
    add_view_nodes,
    joining_radius,
    node_matches,
    places_among,
)
from gluestick.matching.line_heads.guidance import compare_segments

MIN_SHARE = 0.5
"""How much of a line has to lie on one that is there for both to be taken for the same."""

MIN_PROBABILITY = 0.5
"""From which probability on pairs of lines that may be parts of one line are kept."""

_PER_LINE = ("lines", "line_scores", "side_colors")


def matched_lines(found: Arrays) -> tuple[np.ndarray, np.ndarray]:
    """Return the lines of both images that a pair matched, one to one or as parts of one line.

    Args:
        found: The matches; see :func:`gluestick.export.arrays.matches_arrays`.

    Returns:
        Ascending indices, [M0] and [M1] int64.
    """
    likely = _likely_pairs(found)
    return tuple(  # type: ignore[return-value]
        np.union1d(np.flatnonzero(found[f"line_matches{side}"] > -1), likely[:, side])
        for side in (0, 1)
    )


def add_view_lines(arrays: Arrays, seen: Arrays, chosen: np.ndarray) -> tuple[Arrays, np.ndarray]:
    """Add lines of a further view to the features of an image.

    Args:
        arrays: The features; see :func:`gluestick.export.read_features_h5`.
        seen: Those of the view, in px of the image, as
            :func:`gluestick.export.arrays.wireframe_arrays` returns them.
        chosen: [M] int64, the lines of the view that are to be among the features.

    Returns:
        The features with those that they lack, and [M] int64, the index of each among them. A
        line is the one of the first view nearest to it on which at least half of it lies, within
        1.5 px of what the detector saw; otherwise the first such that was added; otherwise it is
        added.
    """
    segments = seen["lines"][chosen]
    num_own = len(arrays["lines"]) - int(arrays.get("num_view_lines", 0))
    distances = _distances(segments, np.concatenate([arrays["lines"], segments]))
    places, rows = places_among(distances, num_own=num_own, radius=joining_radius(arrays))
    new = chosen[rows]
    num_added = len(arrays["lines"]) - num_own + len(rows)
    arrays, ends = add_view_nodes(arrays, seen, seen["line_junctions"][new].reshape(-1))
    grown = {
        name: np.concatenate([arrays[name], seen[name][new]])
        for name in _PER_LINE
        if name in arrays
    }
    grown["line_junctions"] = np.concatenate([arrays["line_junctions"], ends.reshape(-1, 2)])
    return {**arrays, **grown, "num_view_lines": np.array(num_added, dtype=np.int64)}, places


def line_matches(
    found: Arrays,
    chosen: tuple[np.ndarray, np.ndarray],
    places: tuple[np.ndarray, np.ndarray],
    num_lines: Sequence[int],
) -> Arrays:
    """Return the matches of lines of a pair in views, of the lines that the features have.

    Args:
        found: The matches in the views.
        chosen: What :func:`matched_lines` returned.
        places: The indices of these lines among the features.
        num_lines: The numbers of lines of both images among the features.

    Returns:
        ``line_matches0`` [L0], ``line_matching_scores0`` [L0] and the same with suffix 1, each line
        in the best match only; where the network judges pairs of lines also ``line_pairs``
        [R, 2], ``line_pair_probabilities`` [R] and ``line_pair_overlaps`` [R], those from a
        probability of 0.5 on, and of several that became one pair the likeliest.
    """

    def placed(lines: np.ndarray, side: int) -> np.ndarray:
        return places[side][np.searchsorted(chosen[side], lines)]

    matched = np.flatnonzero(found["line_matches0"] > -1)
    sides = placed(matched, 0), placed(found["line_matches0"][matched], 1)
    one_to_one = node_matches(sides, found["line_matching_scores0"][matched], num_lines)
    arrays = {f"line_{name}": array for name, array in one_to_one.items()}
    if "line_pairs" not in found:
        return arrays
    rows = np.flatnonzero(found["line_pair_probabilities"] >= MIN_PROBABILITY)
    rows = rows[np.argsort(-found["line_pair_probabilities"][rows], kind="stable")]
    pairs = found["line_pairs"][rows]
    pairs = np.stack([placed(pairs[:, side], side) for side in (0, 1)], axis=1)
    pairs, first = np.unique(pairs, axis=0, return_index=True)
    arrays["line_pairs"] = pairs.astype(np.int64)
    for name in ("line_pair_probabilities", "line_pair_overlaps"):
        arrays[name] = found[name][rows[first]]
    return arrays


def _likely_pairs(found: Arrays) -> np.ndarray:
    if "line_pairs" not in found:
        return np.zeros((0, 2), dtype=np.int64)
    return found["line_pairs"][found["line_pair_probabilities"] >= MIN_PROBABILITY]


def _distances(segments: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return how far each segment is from each other; infinite where less than half lies on it."""
    if len(segments) == 0 or len(others) == 0:
        return np.full((len(segments), len(others)), np.inf)
    tensors = [torch.from_numpy(lines.astype(np.float64)) for lines in (segments, others)]
    agreement = compare_segments(*tensors)
    return agreement.distance.where(agreement.share >= MIN_SHARE, torch.inf).numpy()
