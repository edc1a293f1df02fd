"""A COLMAP database with everything that was found in a folder of photographs."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gluestick.export.features_h5 import FeaturesReader
from gluestick.export.folder_images import NamePair, Progress
from gluestick.export.hloc_folder import HlocFolder
from gluestick.export.matches_h5 import MatchesReader
from gluestick.reconstruction.colmap.database import open_database
from gluestick.reconstruction.colmap.features import add_keypoints, add_matches
from gluestick.reconstruction.colmap.images import add_images, check_cameras
from gluestick.reconstruction.colmap.verification import add_two_view_geometries
from gluestick.reconstruction.inputs import (
    ReconstructionConfig,
    ReconstructionInputs,
)
from gluestick.reconstruction.known_cameras import KnownCamera
from gluestick.reconstruction.outcome import (
    Record,
    pair_records,
)


@dataclass(frozen=True, kw_only=True)
class FilledDatabase:
    """A complete database.

    Attributes:
        path: The file.
        pairs: The records of the pairs.
        made_from: What they come from.
        known_cameras: The numbers of the known cameras.
    """

    path: Path
    pairs: list[Record]
    made_from: list[Any]
    known_cameras: list[int]


def fill_database(
    inputs: ReconstructionInputs,
    exported: HlocFolder,
    wanted: Sequence[NamePair],
    known: Mapping[str, KnownCamera],
    config: ReconstructionConfig,
    progress: Progress,
) -> FilledDatabase:
    """Add to the database what it lacks.

    Args:
        inputs: The folders and files.
        exported: The features and matches.
        wanted: The pairs.
        known: The known cameras by the names of photographs.
        config: The options.
        progress: Shows how far it is.

    Raises:
        ValueError: If the database holds something else of these images, or is none.
        OSError: If it cannot be written.
    """
    path = inputs.database_file
    with ExitStack() as opened:
        features = opened.enter_context(FeaturesReader(exported.features))
        matches = opened.enter_context(MatchesReader(exported.matches))
        pairs = [pair for pair in wanted if pair in matches]
        names = sorted({name for pair in pairs for name in pair})
        sizes = {name: _size(features, name) for name in names}
        check_cameras(config.cameras, sizes, known)
        database = opened.enter_context(open_database(path))
        image_ids = add_images(
            database, inputs.image_dir, sizes, known=known, options=config.cameras
        )
        add_keypoints(database, features, image_ids, progress=progress)
        add_matches(
            database, matches, image_ids, pairs, junctions=config.junctions, progress=progress
        )
        add_two_view_geometries(
            database,
            features,
            matches,
            image_ids,
            pairs,
            verification=config.verification,
            seed=config.mapping.seed,
            progress=progress,
        )
        made_from = [[name, features.origin(name).get("features")] for name in names]
        cameras = {image.name: image.camera_id for image in database.read_all_images()}
        constant = sorted({cameras[name] for name in names if name in known})
        return FilledDatabase(
            path=path,
            pairs=pair_records(database, image_ids, pairs),
            made_from=[*made_from, *((*pair, *_frames(matches, pair)) for pair in pairs)],
            known_cameras=constant,
        )


def _size(features: FeaturesReader, name: str) -> tuple[int, int]:
    width, height = features.read(name)["image_size"].tolist()
    return width, height


def _frames(matches: MatchesReader, pair: NamePair) -> list[Any]:
    """Return in which views a pair was matched, nothing for those of all pairs."""
    found = matches.origin(*pair).get("views", {}).get("frames")
    return [] if found is None else [found]
