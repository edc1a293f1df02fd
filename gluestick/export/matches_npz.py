"""One pair with its features, matches and geometry in one numpy archive."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from gluestick.checks import check_shapes
from gluestick.export.arrays import Arrays, check_indices, matches_arrays, wireframe_arrays
from gluestick.pair_geometry import PairGeometry
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
    "num_junctions0": "",
    "num_junctions1": "",
}
_OPTIONAL_SPECS = {
    "line_inliers": "T",
    "F_0to1": "3 3",
    "geometry": "",
    "trusted": "",
    "log10_false_alarms": "",
    "E_0to1": "3 3",
    "R_0to1": "3 3",
    "t_0to1": "3",
    "junction_matches0": "P0",
    "junction_matches1": "P1",
    "junction_matching_scores0": "P0",
    "junction_matching_scores1": "P1",
    "line_pairs": "R 2",
    "line_pair_probabilities": "R",
    "line_pair_overlaps": "R",
    "view0": "2 3",
    "view1": "2 3",
    "view_homography0": "3 3",
    "view_homography1": "3 3",
    "view_size0": "2",
    "view_size1": "2",
}


def write_matches_npz(
    path: str | os.PathLike[str],
    wireframe0: Wireframe,
    wireframe1: Wireframe,
    matches: Matches,
    *,
    index: int | None = None,
    estimate: PairGeometry | None = None,
) -> None:
    """Write everything that is known about one pair.

    The archive holds, for image 0 and with suffix 1 for image 1: ``keypoints0`` [P0, 2] float32
    px (all nodes, of which the first ``num_junctions0`` are junctions), ``matches0`` [P0] int64
    (the index in ``keypoints1``, or -1), ``matching_scores0`` [P0], ``lines0`` [L0, 2, 2] px as
    detected, ``line_matches0`` [L0], ``line_matching_scores0`` [L0], ``image_size0`` [2]
    (width, height); ``H_0to1`` and ``F_0to1`` [3, 3] float64, NaN where there is none;
    ``geometry``, the name of the model whose inliers are given; ``trusted`` bool and
    ``log10_false_alarms``, its verdict; ``point_inliers``, bool, one for each entry above -1 of
    ``matches0`` in that order, and, only where lines took part, ``line_inliers`` for
    ``line_matches0``; where the cameras were known, ``E_0to1``, ``R_0to1`` [3, 3] and ``t_0to1``
    [3]; where the network reports junctions apart, ``junction_matches0`` [P0] and
    ``junction_matching_scores0`` [P0]; and, where it judges pairs of lines by themselves,
    ``line_pairs`` [R, 2] int64, ``line_pair_probabilities`` [R] and ``line_pair_overlaps`` [R].
    ``view0`` and ``view1`` [2, 3] float64 are the affine maps from px of the images to px of the
    views in which they were seen, of ``view_size0`` and ``view_size1`` [2] (width, height); where
    these are homographies, the affine maps that come nearest to them at the views' centres.
    ``view_homography0`` and ``view_homography1`` [3, 3] float64 are the maps themselves.

    Args:
        path: The file, which gets exactly this name.
        wireframe0: The wireframe of image 0, as given to the matcher.
        wireframe1: The wireframe of image 1.
        matches: The matches between them.
        index: Which pair of the batch; may be left out for a batch of one.
        estimate: The geometry that was estimated from the matches, or None.

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
        view = wireframe.views[index or 0]
        arrays[f"view{side}"] = np.eye(2, 3) if view is None else view.central_affine
        arrays[f"view_homography{side}"] = np.eye(3) if view is None else view.matrix
        arrays[f"view_size{side}"] = features["image_size"] if view is None else np.array(view.size)
    arrays |= _geometry_arrays(
        estimate or PairGeometry(), num_matches=int(np.count_nonzero(arrays["matches0"] > -1))
    )
    _check(arrays)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def _geometry_arrays(estimate: PairGeometry, *, num_matches: int) -> Arrays:
    point_inliers = estimate.point_inliers
    if point_inliers is None:
        point_inliers = np.zeros(num_matches, dtype=bool)
    arrays = {
        "geometry": np.array(estimate.geometry),
        "trusted": np.array(estimate.trusted, dtype=bool),
        "log10_false_alarms": np.array(estimate.log10_false_alarms, dtype=np.float64),
        "point_inliers": np.asarray(point_inliers, dtype=bool),
    }
    for name, model in (("H_0to1", estimate.H_0to1), ("F_0to1", estimate.F_0to1)):
        arrays[name] = np.full((3, 3), np.nan) if model is None else np.asarray(model, np.float64)
    if estimate.line_inliers is not None:
        arrays["line_inliers"] = np.asarray(estimate.line_inliers, dtype=bool)
    if estimate.E_0to1 is not None:
        arrays["E_0to1"] = np.asarray(estimate.E_0to1, np.float64)
    if estimate.pose_0to1 is not None:
        arrays["R_0to1"] = np.asarray(estimate.pose_0to1.R, np.float64)
        arrays["t_0to1"] = np.asarray(estimate.pose_0to1.t, np.float64)
    return arrays


def read_matches_npz(path: str | os.PathLike[str]) -> Arrays:
    """Read what :func:`write_matches_npz` wrote.

    Args:
        path: The file.

    Returns:
        The arrays by name; files that earlier versions wrote lack some of them.

    Raises:
        ValueError: If there is no such file, it is not a numpy archive, is damaged or lacks
            an array, or shapes or indices do not fit.
    """
    if not Path(path).is_file():
        raise ValueError(f"there is no file {path}")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in (*_SPECS, *_OPTIONAL_SPECS) if key in archive}
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
    present = {key: spec for key, spec in _OPTIONAL_SPECS.items() if key in arrays}
    sizes = check_shapes("matches", arrays, _SPECS | present)
    check_indices(
        arrays,
        num_nodes=(sizes["P0"], sizes["P1"]),
        num_lines=(sizes["L0"], sizes["L1"]),
    )
    for kind, matches in (("point_inliers", "matches0"), ("line_inliers", "line_matches0")):
        count = np.count_nonzero(arrays[matches] > -1)
        if kind in arrays and len(arrays[kind]) != count:
            raise ValueError(
                f"{kind} needs one entry for each of the {count} matches in {matches}, "
                f"found {len(arrays[kind])}"
            )
