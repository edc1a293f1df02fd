"""Two-view geometries of a COLMAP database: COLMAP's own, or those that the project trusts."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from gluestick.datasets.posed.formats.colmap_model import import_pycolmap
from gluestick.export.features_h5 import FeaturesReader
from gluestick.export.folder_images import NamePair, Progress, no_progress
from gluestick.export.matches_h5 import MatchesReader
from gluestick.pair_geometry import PairGeometry, PairMatches, estimate_geometry
from gluestick.reconstruction.colmap.database import colmap_errors
from gluestick.types import Camera
from gluestick.wireframe.thresholds import mean_enlargement

Verification = Literal["colmap", "gluestick"]
"""Who says which matches are right."""

PAIRS_PER_TRANSACTION = 20

_TO_CENTRE = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1.0]])
"""From COLMAP's pixels to those of this package."""


def add_two_view_geometries(
    database: Any,
    features: FeaturesReader,
    matches: MatchesReader,
    image_ids: Mapping[str, int],
    pairs: Sequence[NamePair],
    *,
    verification: Verification = "colmap",
    seed: int = 0,
    progress: Progress = no_progress,
) -> None:
    """Verify the matches of pairs that are not verified yet.

    Args:
        database: An open ``pycolmap.Database`` with the pairs' matches.
        features: The features.
        matches: The matches.
        image_ids: The numbers of the images by name.
        pairs: The pairs, by name.
        verification: "colmap" estimates two-view geometry as COLMAP does; "gluestick" takes the
            model of :func:`gluestick.pair_geometry.estimate_geometry`, from points and lines,
            and leaves a pair without inliers whose model could be chance.
        seed: Of COLMAP's samples.
        progress: Shows how far it is.

    Raises:
        ValueError: If a geometry cannot be estimated or written.
    """
    pycolmap = import_pycolmap("a COLMAP database")
    cameras = _cameras(database)
    options = _options(pycolmap, seed)
    waiting = [
        pair
        for pair in pairs
        if not database.exists_two_view_geometry(*(image_ids[name] for name in pair))
    ]
    starts = range(0, len(waiting), PAIRS_PER_TRANSACTION)
    batches = [waiting[start : start + PAIRS_PER_TRANSACTION] for start in starts]
    for batch in progress(batches, "Two-view geometries"):
        with (
            colmap_errors("adding two-view geometries to the database"),
            pycolmap.DatabaseTransaction(database),
        ):
            for names in batch:
                numbers = [image_ids[name] for name in names]
                own = [cameras[number] for number in numbers]
                indices = database.read_matches(*numbers)
                if verification == "gluestick":
                    found = _trusted(pycolmap, features, matches, names, own, indices)
                else:
                    keypoints = [database.read_keypoints(number)[:, :2] for number in numbers]
                    found = pycolmap.estimate_two_view_geometry(
                        own[0], keypoints[0], own[1], keypoints[1], indices, options
                    )
                database.write_two_view_geometry(*numbers, found)


def _options(pycolmap: Any, seed: int) -> Any:
    options = pycolmap.TwoViewGeometryOptions()
    options.ransac.random_seed = seed
    return options


def _cameras(database: Any) -> dict[int, Any]:
    cameras = {camera.camera_id: camera for camera in database.read_all_cameras()}
    return {image.image_id: cameras[image.camera_id] for image in database.read_all_images()}


def _trusted(
    pycolmap: Any,
    features: FeaturesReader,
    matches: MatchesReader,
    names: NamePair,
    cameras: Sequence[Any],
    indices: np.ndarray,
) -> Any:
    geometry = pycolmap.TwoViewGeometry()
    geometry.config = pycolmap.TwoViewGeometryConfiguration.DEGENERATE
    own = [_calibration(camera) for camera in cameras]
    calibrated = all(camera is not None for camera in own)
    found = estimate_geometry(
        _pair_matches(features, matches, names, indices),
        camera0=own[0] if calibrated else None,
        camera1=own[1] if calibrated else None,
    )
    if not found.trusted or found.point_inliers is None:
        return geometry
    geometry.inlier_matches = indices[found.point_inliers]
    _set_model(pycolmap, geometry, found)
    return geometry


def _set_model(pycolmap: Any, geometry: Any, found: PairGeometry) -> None:
    kinds = pycolmap.TwoViewGeometryConfiguration
    if found.geometry == "homography":
        geometry.config = kinds.PLANAR_OR_PANORAMIC
    else:
        geometry.config = kinds.UNCALIBRATED if found.pose_0to1 is None else kinds.CALIBRATED
    if found.H_0to1 is not None:
        geometry.H = np.linalg.inv(_TO_CENTRE) @ found.H_0to1 @ _TO_CENTRE
    if found.F_0to1 is not None:
        geometry.F = _TO_CENTRE.T @ found.F_0to1 @ _TO_CENTRE
    if found.pose_0to1 is not None:
        geometry.E = found.E_0to1
        geometry.cam2_from_cam1 = pycolmap.Rigid3d(
            pycolmap.Rotation3d(found.pose_0to1.R), found.pose_0to1.t
        )


def _pair_matches(
    features: FeaturesReader, matches: MatchesReader, names: NamePair, indices: np.ndarray
) -> PairMatches:
    sides = [features.read(name) for name in names]
    points = [
        own["keypoints"][indices[:, side]].astype(np.float64) for side, own in enumerate(sides)
    ]
    lines = matches.read(*names).get("line_matches0", np.zeros(0, np.int64))
    matched = np.flatnonzero(lines > -1)
    segments = [
        own.get("lines", np.zeros((0, 2, 2)))[chosen].astype(np.float64)
        for own, chosen in zip(sides, (matched, lines[matched]), strict=True)
    ]
    sizes = [tuple(own["image_size"].tolist()) for own in sides]
    return PairMatches(
        points0=points[0],
        points1=points[1],
        lines0=segments[0],
        lines1=segments[1],
        image_size0=sizes[0],
        image_size1=sizes[1],
        pixel=mean_enlargement(*(float(own.get("resize_scale", 1.0)) for own in sides)),
    )


def _calibration(camera: Any) -> Camera | None:
    """Return a camera whose focal length is known, as far as its model is one of ours."""
    if not camera.has_prior_focal_length:
        return None
    try:
        return Camera.from_colmap(camera.model_name, list(map(float, camera.params)))
    except ValueError:
        return None
