"""Models on disk: made once for the same database and options, and put in place in one step."""

import json
import shutil
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gluestick.datasets.posed.formats.colmap_model import import_pycolmap, read_colmap_model
from gluestick.export.folder_images import Progress, no_progress
from gluestick.reconstruction.colmap.database import colmap_errors
from gluestick.reconstruction.mapping import MappingConfig, map_photographs, triangulate
from gluestick.reconstruction.outcome import LEAST_OBSERVATIONS, Record
from gluestick.reconstruction.refinement.model import RefinementConfig, refine_model
from gluestick.storage.atomic import atomic_path
from gluestick.storage.fingerprints import text_fingerprint

_MARKER = "made_from.json"
_POINTS = "points.ply"
_FEWEST = 2
_SMALLEST = 3
"""Models of fewer photographs keep their keypoints as detected."""


@dataclass(frozen=True, kw_only=True)
class ModelFiles:
    """Models and where they lie.

    Attributes:
        folder: The folder of models.
        models: Each a ``pycolmap.Reconstruction``, the largest first, as in ``folder/0`` and so on.
        refinement: What the refinement of each did, None where there was none.
        made_from: A digest of all that decides them.
    """

    folder: Path
    models: list[Any]
    refinement: list[Record | None]
    made_from: str


@dataclass(frozen=True, kw_only=True)
class ModelTask:
    """What models are made from, and how.

    Attributes:
        image_dir: The folder of photographs.
        output: The folder for ``sparse/`` and ``points.ply``.
        database: COLMAP's database.
        names: The photographs.
        posed: A ``pycolmap.Reconstruction`` whose poses are kept, or None.
        constant_cameras: The numbers of the cameras whose calibration stays.
        made_from: A digest of what is in the database.
        mapping: How models are made.
        refinement: How keypoints are refined; None to leave them as detected.
    """

    image_dir: Path
    output: Path
    database: Path
    names: Sequence[str]
    posed: Any
    constant_cameras: Collection[int]
    made_from: str
    mapping: MappingConfig
    refinement: RefinementConfig | None

    def digest(self) -> str:
        """Return a digest of all that decides the models."""
        decides = [
            self.made_from,
            asdict(self.mapping) | {"threads": None},
            None if self.refinement is None else asdict(self.refinement),
            None if self.posed is None else _poses(self.posed),
        ]
        return text_fingerprint(json.dumps(decides, sort_keys=True))


def make_models(task: ModelTask, *, progress: Progress = no_progress) -> ModelFiles:
    """Make the models of a database, unless they are there.

    Args:
        task: What is to be made.
        progress: Shows how far it is.

    Returns:
        The models; none if no photographs can be placed, and nothing is written then.

    Raises:
        ValueError: If COLMAP fails.
        OSError: If a file cannot be written.
    """
    folder, digest = task.output / "sparse", task.digest()
    earlier = _earlier(folder, digest)
    if earlier is not None:
        if earlier.models and not (task.output / _POINTS).is_file():
            with atomic_path(task.output / _POINTS) as temporary:
                _write_points(earlier.models[0], temporary)
        return earlier
    scratch = task.output / ".sparse-new"
    shutil.rmtree(scratch, ignore_errors=True)
    models = [model for model in _made(task, scratch, progress) if model.num_reg_images() > 1]
    refined = [_refined(task, model, progress) for model in models]
    if task.posed is None:
        for model in models:
            leave_out_weakly_placed(model)
    if models:
        _write(task.output, scratch, models, {"digest": digest, "refinement": refined})
    shutil.rmtree(scratch, ignore_errors=True)
    return ModelFiles(folder=folder, models=models, refinement=refined, made_from=digest)


def leave_out_weakly_placed(reconstruction: Any) -> list[str]:
    """Take out photographs in which hardly any of a model's points are seen, the fewest first.

    So few points fit a wrong place as well, and an unrelated photograph.

    Args:
        reconstruction: A ``pycolmap.Reconstruction``, which is changed; two photographs stay.

    Returns:
        Their names.
    """
    pycolmap = import_pycolmap("a reconstruction")
    observations = pycolmap.ObservationManager(reconstruction)
    left_out = []
    while reconstruction.num_reg_images() > _FEWEST:
        placed = [image for image in reconstruction.images.values() if image.has_pose]
        weakest = min(placed, key=lambda image: (image.num_points3D, image.name))
        if weakest.num_points3D >= LEAST_OBSERVATIONS:
            break
        left_out.append(weakest.name)
        observations.deregister_frame(weakest.frame_id)
    return left_out


def _poses(posed: Any) -> list[Any]:
    """Return the names and poses of a model, for a digest."""
    return sorted(
        [image.name, image.cam_from_world().params.tolist()]
        for image in posed.images.values()
        if image.has_pose
    )


def _earlier(folder: Path, digest: str) -> ModelFiles | None:
    try:
        stored = json.loads((folder / _MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if stored.get("digest") != digest:
        return None
    models = [
        read_colmap_model(folder / str(number)) for number in range(len(stored["refinement"]))
    ]
    return ModelFiles(
        folder=folder, models=models, refinement=stored["refinement"], made_from=digest
    )


def _made(task: ModelTask, scratch: Path, progress: Progress) -> list[Any]:
    mapper = scratch / "mapper"
    try:
        if task.posed is not None:
            return [
                triangulate(task.posed, task.database, task.image_dir, mapper, config=task.mapping)
            ]
        steps = iter(progress(task.names, "Registration"))

        def registered() -> None:
            next(steps, None)

        return map_photographs(
            task.database,
            task.image_dir,
            mapper,
            names=task.names,
            constant_cameras=task.constant_cameras,
            config=task.mapping,
            registered=registered,
        )
    finally:
        shutil.rmtree(mapper, ignore_errors=True)


def _refined(task: ModelTask, model: Any, progress: Progress) -> Record | None:
    if task.refinement is None or model.num_reg_images() < _SMALLEST:
        return None
    done = refine_model(
        model,
        task.image_dir,
        constant_cameras=[number for number in task.constant_cameras if number in model.cameras],
        constant_poses=task.posed is not None,
        config=task.refinement,
        progress=progress,
    )
    return asdict(done)


def _write(output: Path, scratch: Path, models: Sequence[Any], marker: Record) -> None:
    for number, model in enumerate(models):
        place = scratch / str(number)
        place.mkdir(parents=True)
        with colmap_errors(f"writing the model to {place}"):
            model.write(str(place))
        read_colmap_model(place)  # COLMAP says nothing where the disk is full
    _write_points(models[0], scratch / _POINTS)
    (scratch / _MARKER).write_text(json.dumps(marker), encoding="utf-8")
    folder, old = output / "sparse", output / ".sparse-old"
    (scratch / _POINTS).replace(output / _POINTS)
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    scratch.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _write_points(model: Any, path: Path) -> None:
    with colmap_errors(f"writing {_POINTS}"):
        model.export_PLY(str(path))
