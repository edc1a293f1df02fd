"""A folder of photographs to a COLMAP database and sparse models, to be stopped and gone on with.

In the folder of results lie, in the order in which they are made: ``retrieval.h5`` where
photographs are compared, ``features.h5`` and ``matches.h5`` (:mod:`gluestick.export.hloc_folder`),
``database.db``, ``sparse/0`` with the largest model, further ones in ``sparse/1`` and so on,
``points.ply``, and ``reconstruction.json``. Each step takes up what an earlier run has finished.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

from gluestick.datasets.photographs import list_photographs
from gluestick.datasets.posed.colmap_model import (
    find_colmap_model,
    import_pycolmap,
    read_colmap_model,
)
from gluestick.export.features_h5 import FeaturesReader
from gluestick.export.folder_images import NamePair, Progress, no_progress
from gluestick.export.hloc_folder import HlocFolder, export_hloc_folder
from gluestick.export.matches_h5 import MatchesReader
from gluestick.pipeline import PointLineMatcher
from gluestick.reconstruction.colmap.database import open_database
from gluestick.reconstruction.colmap.features import add_keypoints, add_matches
from gluestick.reconstruction.colmap.images import CameraOptions, add_images
from gluestick.reconstruction.colmap.verification import Verification, add_two_view_geometries
from gluestick.reconstruction.known_cameras import (
    KnownCamera,
    cameras_of_model,
    read_known_cameras,
)
from gluestick.reconstruction.mapping import MappingConfig
from gluestick.reconstruction.models import ModelFiles, ModelTask, make_models
from gluestick.reconstruction.outcome import (
    Record,
    model_record,
    pair_records,
    photograph_records,
)
from gluestick.reconstruction.pairs.selection import PairsConfig, choose_pairs
from gluestick.reconstruction.refinement.model import RefinementConfig
from gluestick.storage.atomic import atomic_path
from gluestick.storage.fingerprints import text_fingerprint
from gluestick.timing import StageTimer

_SETTINGS = "settings.json"

RECORD = "reconstruction.json"
"""What came of it."""


@dataclass(frozen=True, kw_only=True)
class ReconstructionConfig:
    """Options of a reconstruction.

    Attributes:
        pairs: Which pairs are matched.
        cameras: How cameras are read from photographs.
        junctions: Whether matches of line junctions are among the points' matches.
        verification: Who verifies matches.
        mapping: How models are made.
        refinement: How keypoints are refined along tracks; None to leave them as detected.
    """

    pairs: PairsConfig = field(default_factory=PairsConfig)
    cameras: CameraOptions = field(default_factory=CameraOptions)
    junctions: bool = False
    verification: Verification = "colmap"
    mapping: MappingConfig = field(default_factory=MappingConfig)
    refinement: RefinementConfig | None = field(default_factory=RefinementConfig)

    def __post_init__(self) -> None:
        if self.verification not in get_args(Verification):
            raise ValueError(
                f"verification needs to be {' or '.join(get_args(Verification))}, found "
                f"{self.verification!r}"
            )


@dataclass(frozen=True, kw_only=True)
class ReconstructionInputs:
    """What a reconstruction is made from.

    Attributes:
        image_dir: The folder of photographs.
        output: The folder for the results.
        pairs_file: A list of pairs in place of ``pairs`` of the options, or None.
        mask_dir: A folder with a mask ``NAME.png`` for each photograph or some, or None.
        cameras: Known cameras (see :mod:`gluestick.reconstruction.known_cameras`), or None.
        model: The folder of a COLMAP model whose poses are kept, or None.
        database: A COLMAP database to extend, or None for one in the folder of results.
    """

    image_dir: Path
    output: Path
    pairs_file: Path | None = None
    mask_dir: Path | None = None
    cameras: Path | None = None
    model: Path | None = None
    database: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Reconstruction:
    """What :func:`reconstruct` made.

    Attributes:
        features: hloc's feature file, also with the lines.
        matches: hloc's match file, also with those of the lines.
        database: COLMAP's database.
        model: The folder of the largest model.
        points: Its points as PLY.
        record: What is in ``reconstruction.json``.
    """

    features: Path
    matches: Path
    database: Path
    model: Path
    points: Path
    record: Record


def reconstruct(
    matcher: PointLineMatcher,
    inputs: ReconstructionInputs,
    *,
    model: str,
    config: ReconstructionConfig | None = None,
    strict: bool = False,
    timer: StageTimer | None = None,
    progress: Progress = no_progress,
) -> Reconstruction:
    """Reconstruct the cameras and points of a folder of photographs.

    What an earlier run into the same folder has finished is kept, provided that it comes from
    the same photographs and settings.

    Args:
        matcher: It finds and matches points and lines; its ``rotation`` says how turned
            photographs are dealt with.
        inputs: The folders and files.
        model: The name of the matcher, which is kept with what it finds.
        config: The options.
        strict: Whether a photograph or a pair that cannot be used is an error.
        timer: Where the seconds of the steps are added up.
        progress: Shows how far it is.

    Returns:
        The files and the record.

    Raises:
        ValueError: If the photographs or files do not fit, or no two photographs can be placed.
        OSError: If a file cannot be written.
        ImportError: If pycolmap is missing.
    """
    import_pycolmap("a reconstruction")
    config, timer = config or ReconstructionConfig(), timer or StageTimer()
    names = list_photographs(inputs.image_dir)
    posed = None if inputs.model is None else _read_posed(inputs.model, names)
    known = _known_cameras(inputs, names, posed)
    settings = {
        "junctions": config.junctions,
        "verification": config.verification,
        "cameras": asdict(config.cameras),
        "known_cameras": {name: [each.model, *each.params] for name, each in known.items()},
    }
    _check_settings(inputs.output, settings)
    with timer.stage("pairs"):
        chosen = choose_pairs(
            inputs.image_dir,
            inputs.output / "retrieval.h5",
            config=config.pairs,
            pairs_file=inputs.pairs_file,
            progress=progress,
        )
    wanted = chosen if posed is None else _within(chosen, {i.name for i in posed.images.values()})
    with timer.stage("features and matches"):
        exported = export_hloc_folder(
            matcher,
            inputs.image_dir,
            wanted,
            inputs.output,
            model=model,
            mask_dir=inputs.mask_dir,
            strict=strict,
            progress=progress,
        )
    _write_json(inputs.output / _SETTINGS, settings)
    database = inputs.database or inputs.output / "database.db"
    with timer.stage("COLMAP database"):
        pairs, made_from, constant = _fill(
            database, inputs, exported, wanted, known, config, progress
        )
    with timer.stage("model"):
        task = ModelTask(
            image_dir=inputs.image_dir,
            output=inputs.output,
            database=database,
            names=_verified(pairs),
            posed=posed,
            constant_cameras=constant,
            made_from=text_fingerprint(json.dumps([made_from, settings], sort_keys=True)),
            mapping=config.mapping,
            refinement=config.refinement,
        )
        files = make_models(task, progress=progress)
    record = _record(names, files, pairs, _left_out(exported, names, posed))
    record["seconds"] = {stage: round(value, 2) for stage, value in timer.seconds.items()}
    _write_json(inputs.output / RECORD, record)
    if not files.models:
        raise ValueError(_no_model(inputs.output, len(names), pairs))
    return Reconstruction(
        features=exported.features,
        matches=exported.matches,
        database=database,
        model=files.folder / "0",
        points=inputs.output / "points.ply",
        record=record,
    )


def _verified(pairs: Sequence[Record]) -> list[str]:
    """Return the photographs that are in a verified pair."""
    return sorted({name for pair in pairs if pair["num_inliers"] > 0 for name in pair["names"]})


def _no_model(output: Path, num_photographs: int, pairs: Sequence[Record]) -> str:
    verified = sum(record["num_inliers"] > 0 for record in pairs)
    most = max((record["num_inliers"] for record in pairs), default=0)
    return (
        f"no two of the {num_photographs} photographs could be placed: {verified} of "
        f"{len(pairs)} pairs were verified, the best with {most} matches; {output / RECORD} says "
        "more. Photographs need to overlap, and to be taken from different places"
    )


def _read_posed(folder: Path, names: Sequence[str]) -> Any:
    model = find_colmap_model(folder)
    if model is None:
        raise ValueError(f"{folder} needs the files of a COLMAP model, found none")
    posed = read_colmap_model(model)
    if not {image.name for image in posed.images.values()} & set(names):
        raise ValueError(f"the model in {model} has none of the {len(names)} photographs")
    return posed


def _known_cameras(
    inputs: ReconstructionInputs, names: Sequence[str], posed: Any
) -> dict[str, KnownCamera]:
    if inputs.cameras is not None and posed is not None:
        raise ValueError("a posed model has its own cameras: leave out --cameras or --model")
    if inputs.cameras is not None:
        return read_known_cameras(inputs.cameras, names)
    if posed is None:
        return {}
    wanted = set(names)
    return {name: each for name, each in cameras_of_model(posed).items() if name in wanted}


def _within(pairs: Sequence[NamePair], names: set[str]) -> list[NamePair]:
    return [pair for pair in pairs if names.issuperset(pair)]


def _fill(
    path: Path,
    inputs: ReconstructionInputs,
    exported: HlocFolder,
    wanted: Sequence[NamePair],
    known: Mapping[str, KnownCamera],
    config: ReconstructionConfig,
    progress: Progress,
) -> tuple[list[Record], list[Any], list[int]]:
    """Complete the database.

    Returns:
        The records of the pairs, what they come from, and the numbers of the known cameras.
    """
    with (
        FeaturesReader(exported.features) as features,
        MatchesReader(exported.matches) as matches,
        open_database(path) as database,
    ):
        pairs = [pair for pair in wanted if pair in matches]
        names = sorted({name for pair in pairs for name in pair})
        sizes = {name: _size(features, name) for name in names}
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
        return pair_records(database, image_ids, pairs), [*made_from, *pairs], constant


def _size(features: FeaturesReader, name: str) -> tuple[int, int]:
    width, height = features.read(name)["image_size"].tolist()
    return width, height


def _left_out(exported: HlocFolder, names: Sequence[str], posed: Any) -> dict[str, str]:
    left_out = dict(exported.skipped.images)
    if posed is not None:
        known = {image.name for image in posed.images.values()}
        left_out |= {name: "the posed model lacks it" for name in names if name not in known}
    return left_out


def _record(
    names: Sequence[str],
    files: ModelFiles,
    pairs: Sequence[Record],
    left_out: Mapping[str, str],
) -> Record:
    return {
        "made_from": files.made_from,
        "models": [model_record(model) for model in files.models],
        "refinement": files.refinement,
        "photographs": photograph_records(names, files.models, pairs, left_out),
        "pairs": list(pairs),
    }


def _check_settings(output: Path, settings: Record) -> None:
    path = output / _SETTINGS
    if not path.is_file():
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged: remove it") from error
    needed = json.loads(json.dumps(settings))
    differ = [key for key in needed if found.get(key) != needed[key]]
    if differ:
        raise ValueError(
            f"{output} has a database of another run ({', '.join(differ)} differ): choose another "
            "output folder"
        )


def _write_json(path: Path, content: Record) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
