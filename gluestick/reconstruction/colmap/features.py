"""Keypoints and matches of a COLMAP database, from the files of ``gluestick export``.

An image's keypoints are all nodes of its wireframe, junctions first, so that one index stands for
a point wherever it is spoken of: in the feature and match files, in this database and in the
lines' ``line_junctions``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gluestick.datasets.posed.formats.colmap_model import import_pycolmap
from gluestick.export.arrays import Arrays
from gluestick.export.features_h5 import FeaturesReader
from gluestick.export.folder_images import NamePair, Progress, no_progress
from gluestick.export.matches_h5 import MatchesReader
from gluestick.geometry.pixels import centre_to_corner
from gluestick.reconstruction.colmap.database import colmap_errors

_REMEDY = "name another database"

PAIRS_PER_TRANSACTION = 200


def add_keypoints(
    database: Any,
    features: FeaturesReader,
    image_ids: Mapping[str, int],
    *,
    progress: Progress = no_progress,
) -> None:
    """Add the keypoints of images that have none, and those that were found in further views since.

    Args:
        database: An open ``pycolmap.Database``.
        features: The features.
        image_ids: The numbers of the images by name.
        progress: Shows how far it is.

    Raises:
        ValueError: If an image has other keypoints already, or the database cannot be written.
    """
    pycolmap = import_pycolmap("a COLMAP database")
    with colmap_errors("adding keypoints to the database"), pycolmap.DatabaseTransaction(database):
        for name in progress(list(image_ids), "Keypoints to COLMAP"):
            keypoints = centre_to_corner(features.read(name)["keypoints"]).astype(np.float32)
            number = image_ids[name]
            if not database.exists_keypoints(number):
                database.write_keypoints(number, keypoints)
                continue
            earlier = database.read_keypoints(number)[:, :2]
            if not np.array_equal(earlier, keypoints[: len(earlier)]):
                raise ValueError(f"it has other keypoints of {name} already: {_REMEDY}")
            if len(earlier) < len(keypoints):
                database.update_keypoints(number, keypoints)


def add_matches(
    database: Any,
    matches: MatchesReader,
    image_ids: Mapping[str, int],
    pairs: Sequence[NamePair],
    *,
    junctions: bool = False,
    progress: Progress = no_progress,
) -> None:
    """Add the matches of pairs that have none.

    Args:
        database: An open ``pycolmap.Database``.
        matches: The matches.
        image_ids: The numbers of the images by name.
        pairs: The pairs, by name.
        junctions: Whether matches of junctions, where the model reports them apart, are added
            to those of keypoints.
        progress: Shows how far it is.

    Raises:
        ValueError: If a pair has other matches already, or the database cannot be written.
    """
    pycolmap = import_pycolmap("a COLMAP database")
    starts = range(0, len(pairs), PAIRS_PER_TRANSACTION)
    batches = [pairs[start : start + PAIRS_PER_TRANSACTION] for start in starts]
    for batch in progress(batches, "Matches to COLMAP"):
        with (
            colmap_errors("adding matches to the database"),
            pycolmap.DatabaseTransaction(database),
        ):
            for pair in batch:
                found = index_pairs(matches.read(*pair), junctions=junctions)
                first, second = (image_ids[name] for name in pair)
                if not database.exists_matches(first, second):
                    database.write_matches(first, second, found)
                elif not np.array_equal(database.read_matches(first, second), found):
                    raise ValueError(f"it has other matches of {' and '.join(pair)}: {_REMEDY}")


def index_pairs(arrays: Arrays, *, junctions: bool) -> np.ndarray:
    """Return the matches of a pair as COLMAP keeps them.

    Args:
        arrays: As :func:`gluestick.export.read_matches_h5` returns them.
        junctions: Whether matches of junctions are among them.

    Returns:
        [S, 2] uint32, the keypoints of both images, each at most once, in the order of image 0.
    """
    matches = arrays["matches0"]
    if junctions and "junction_matches0" in arrays:
        own = arrays["junction_matches0"]
        matches = np.where(matches > -1, matches, own)
    matched = np.flatnonzero(matches > -1)
    return np.stack([matched, matches[matched]], axis=1).astype(np.uint32)
