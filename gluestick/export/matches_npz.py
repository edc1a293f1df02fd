"""One pair with its features, matches and geometry in one numpy archive."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from gluestick.checks import check_shapes
from gluestick.export.arrays import Arrays, check_indices, matches_arrays, wireframe_arrays
from gluestick.storage.atomic import atomic_path
from gluestick.types import Matches, Wireframe

_SPECS = {
    "keypoints0": "P0 2",
    "keypoints1": "P1 2",
    "matches0": "P0",
    "matches1": "P1",
    "matching_scores0": "P0",
    "matching_scores1": "P1",
    "lines0": "L0 2 2",
    "lines1": "L1 2 2",
    "line_matches0": "L0",
    "line_matches1": "L1",
    "line_matching_scores0": "L0",
    "line_matching_scores1": "L1",
    "image_size0": "2",
    "image_size1": "2",
    "H_0to1": "3 3",
    "point_inliers": "S",
    "line_inliers": "T",
    "num_junctions0": "",
    "num_junctions1": "",
}
_JUNCTION_SPECS = {
    "junction_matches0": "P0",
    "junction_matches1": "P1",
    "junction_matching_scores0": "P0",
    "junction_matching_scores1": "P1",
}


def write_matches_npz(
    path: str | os.PathLike[str],
    wireframe0: Wireframe,
    wireframe1: Wireframe,
    matches: Matches,
    *,
    index: int | None = None,
    H_0to1: np.ndarray | None = None,
    point_inliers: np.ndarray | None = None,
    line_inliers: np.ndarray | None = None,
) -> None:
    """Write everything that is known about one pair.

    The archive holds, for image 0 and with suffix 1 for image 1: ``keypoints0`` [P0, 2] float32
    px (all nodes, of which the first ``num_junctions0`` are junctions), ``matches0`` [P0] int64
    (the index in ``keypoints1``, or -1), ``matching_scores0`` [P0], ``lines0`` [L0, 2, 2] px as
    detected, ``line_matches0`` [L0], ``line_matching_scores0`` [L0], ``image_size0`` [2]
    (width, height); ``H_0to1`` [3, 3] float64; ``point_inliers`` and ``line_inliers``, bool,
    one for each entry above -1 of ``matches0`` and ``line_matches0``, in their order; and,
    where the network reports junctions apart, ``junction_matches0`` [P0] and
    ``junction_matching_scores0`` [P0].

    Args:
        path: The file, which gets exactly this name.
        wireframe0: The wireframe of image 0, as given to the matcher.
        wireframe1: The wireframe of image 1.
        matches: The matches between them.
        index: Which pair of the batch; may be left out for a batch of one.
        H_0to1: [3, 3], the homography from image 0 to image 1 in px; NaN is written where
            there is none.
        point_inliers: [S] bool, which matched keypoints agree with the estimate; all False
            where there is none.
        line_inliers: [T] bool, the same for the matched lines.

    Raises:
        ValueError: If the wireframes are not those that were matched, or a shape or an index
            does not fit.
        OSError: If the file cannot be written; an earlier file is left as it was.
    """
    arrays = matches_arrays(wireframe0, wireframe1, matches, index=index)
    for side, wireframe in enumerate((wireframe0, wireframe1)):
        features = wireframe_arrays(wireframe, index=index)
        for key in ("keypoints", "lines", "image_size", "num_junctions"):
            arrays[f"{key}{side}"] = features[key]
    arrays["H_0to1"] = np.full((3, 3), np.nan) if H_0to1 is None else np.asarray(H_0to1, np.float64)
    for kind, inliers in (("", point_inliers), ("line_", line_inliers)):
        if inliers is None:
            inliers = np.zeros(np.count_nonzero(arrays[f"{kind}matches0"] > -1), dtype=bool)
        arrays[f"{kind or 'point_'}inliers"] = np.asarray(inliers, dtype=bool)
    _check(arrays)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def read_matches_npz(path: str | os.PathLike[str]) -> Arrays:
    """Read what :func:`write_matches_npz` wrote.

    Args:
        path: The file.

    Returns:
        The arrays by name.

    Raises:
        ValueError: If there is no such file, it is not a numpy archive, is damaged or lacks
            an array, or shapes or indices do not fit.
    """
    if not Path(path).is_file():
        raise ValueError(f"there is no file {path}")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in (*_SPECS, *_JUNCTION_SPECS) if key in archive}
        _check(arrays)
    except PermissionError:
        raise
    except Exception as error:  # damaged archives raise whatever zlib, zipfile or struct do
        raise ValueError(f"{path} cannot be read as matches: {error}") from error
    return arrays


def _check(arrays: Mapping[str, np.ndarray]) -> None:
    missing = [key for key in _SPECS if key not in arrays]
    if missing:
        raise ValueError(f"the arrays {', '.join(missing)} are missing")
    present = {key: spec for key, spec in _JUNCTION_SPECS.items() if key in arrays}
    sizes = check_shapes("matches", arrays, _SPECS | present)
    check_indices(
        arrays,
        num_nodes=(sizes["P0"], sizes["P1"]),
        num_lines=(sizes["L0"], sizes["L1"]),
    )
    for kind, matches in (("point_inliers", "matches0"), ("line_inliers", "line_matches0")):
        count = np.count_nonzero(arrays[matches] > -1)
        if len(arrays[kind]) != count:
            raise ValueError(
                f"{kind} needs one entry for each of the {count} matches in {matches}, "
                f"found {len(arrays[kind])}"
            )
