"""Views and matches of a line map, from a COLMAP model and the files of features and matches."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gluestick.export.features_h5 import FeaturesReader
from gluestick.export.folder_images import NamePair
from gluestick.export.matches_h5 import MatchesReader
from gluestick.geometry.pixels import centre_to_corner
from gluestick.reconstruction.lines.values import LineMatches, LineView
from gluestick.types import Pose


def line_views(model: Any, features: FeaturesReader) -> list[LineView]:
    """Return the posed photographs of a model that have features, with their lines.

    Args:
        model: A ``pycolmap.Reconstruction``, with any of COLMAP's camera models.
        features: The features. Photographs without lines have none.

    Returns:
        The views in the order of their names. A line with an end that the lens cannot have seen,
        where its distortion has no inverse, becomes a point, which nothing is triangulated from.
    """
    images = sorted(
        (image for image in model.images.values() if image.has_pose), key=lambda each: each.name
    )
    return [
        _view(image, model.cameras[image.camera_id], features.read(image.name))
        for image in images
        if image.name in features
    ]


def _view(image: Any, camera: Any, arrays: Mapping[str, np.ndarray]) -> LineView:
    pose = image.cam_from_world()
    focal_length = float(camera.mean_focal_length())
    lines = np.asarray(arrays.get("lines", np.zeros((0, 2, 2))), np.float64)
    rays = np.asarray(camera.cam_from_img(centre_to_corner(lines).reshape(-1, 2)), np.float64)
    rays = rays.reshape(-1, 2, 2)
    usable = np.isfinite(rays).all(axis=(1, 2))
    rays[~usable] = 0
    return LineView(
        name=image.name,
        K=np.diag([focal_length, focal_length, 1.0]),
        pose=Pose(R=np.array(pose.rotation.matrix()), t=np.array(pose.translation)),
        lines=focal_length * rays,
        pixel=1 / float(arrays.get("resize_scale", 1.0)),
    )


def line_matches(
    views: Sequence[LineView],
    matches: MatchesReader,
    pairs: Sequence[NamePair],
    *,
    min_probability: float = 0.5,
) -> list[LineMatches]:
    """Return the matches of lines between views.

    Args:
        views: The views.
        matches: The matches.
        pairs: The pairs to read, by name; others are passed over.
        min_probability: From which probability on lines that may be parts of one line, where the
            file has such many-to-many pairs, count beside the one-to-one matches.

    Returns:
        One for each pair with matches of lines.
    """
    places = {view.name: number for number, view in enumerate(views)}
    found = []
    for pair in pairs:
        if not all(name in places for name in pair) or pair not in matches:
            continue
        arrays = matches.read(*pair)
        if "line_matches0" not in arrays:
            continue
        partners = arrays["line_matches0"]
        matched = np.flatnonzero(partners > -1)
        indices = [np.stack([matched, partners[matched]], axis=1)]
        own = arrays.get("line_matching_scores0", np.ones(len(partners)))
        scores = [own[matched]]
        if "line_pairs" in arrays:
            likely = arrays["line_pair_probabilities"] >= min_probability
            indices.append(arrays["line_pairs"][likely])
            scores.append(arrays["line_pair_probabilities"][likely])
        found.append(
            LineMatches(
                view0=places[pair[0]],
                view1=places[pair[1]],
                pairs=np.concatenate(indices),
                scores=np.concatenate(scores).astype(np.float64),
            )
        )
    return found
