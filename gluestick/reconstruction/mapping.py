"""Sparse models from a COLMAP database, by pycolmap."""

from collections.abc import Callable, Collection, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from gluestick.datasets.posed.formats.colmap_model import import_pycolmap
from gluestick.reconstruction.colmap.database import colmap_errors, quiet_pycolmap

Mapper = Literal["incremental", "global"]
"""COLMAP's two ways: photograph after photograph, or all at once (GLOMAP)."""


@dataclass(frozen=True, kw_only=True)
class MappingConfig:
    """How a model is made.

    Attributes:
        mapper: Which of COLMAP's mappers.
        seed: Of all that is drawn at random.
        two_view_tracks: Whether points that only two photographs see are kept.
        threads: Processors; with more than one, results may differ in the last digits.
    """

    mapper: Mapper = "incremental"
    seed: int = 0
    two_view_tracks: bool = False
    threads: int = 1

    def __post_init__(self) -> None:
        if self.mapper not in get_args(Mapper):
            raise ValueError(
                f"the mapper needs to be {' or '.join(get_args(Mapper))}, found {self.mapper!r}"
            )


def map_photographs(
    database: Path,
    image_dir: Path,
    output: Path,
    *,
    names: Sequence[str],
    constant_cameras: Collection[int] = (),
    config: MappingConfig | None = None,
    registered: Callable[[], None] | None = None,
) -> list[Any]:
    """Find the cameras and points of photographs whose matches are verified.

    Args:
        database: COLMAP's database.
        image_dir: The folder of photographs, for the colours of points.
        output: Where COLMAP may write meanwhile.
        names: The photographs; others in the database are left alone.
        constant_cameras: The numbers of the cameras whose calibration stays. The global mapper
            holds either all of them or none.
        config: The options.
        registered: Called when a photograph has found its place.

    Returns:
        The models, each a ``pycolmap.Reconstruction``, that with the most photographs first;
        none where no pair of photographs gives a start.

    Raises:
        ValueError: If COLMAP fails, or the global mapper is to hold only some cameras.
        ImportError: If pycolmap is missing.
    """
    config = config or MappingConfig()
    pycolmap = import_pycolmap("a reconstruction")
    quiet_pycolmap(pycolmap)
    output.mkdir(parents=True, exist_ok=True)
    paths = (str(database), str(image_dir), str(output))
    if config.mapper == "global":
        hold = _holds_all(pycolmap, database, names, constant_cameras)
        options = _global_options(pycolmap, names, config, hold=hold)
        with colmap_errors("COLMAP's global mapper"):
            models = pycolmap.global_mapping(*paths, options)
    else:
        options = _incremental_options(pycolmap, config)
        options.image_names = list(names)
        options.constant_cameras = set(constant_cameras)
        with colmap_errors("COLMAP's incremental mapper"):
            models = pycolmap.incremental_mapping(*paths, options, next_image_callback=registered)
    found = [models[number] for number in sorted(models)]
    return sorted(found, key=lambda model: (-model.num_reg_images(), -model.num_points3D()))


def triangulate(
    posed: Any,
    database: Path,
    image_dir: Path,
    output: Path,
    *,
    config: MappingConfig | None = None,
) -> Any:
    """Find the points of photographs whose cameras and poses are known.

    Args:
        posed: A ``pycolmap.Reconstruction``, whose cameras and poses are taken.
        database: COLMAP's database. Its images are told by their names, and its numbers of
            images, cameras and rigs are those of the result.
        image_dir: The folder of photographs, for the colours of points.
        output: Where COLMAP may write meanwhile.
        config: The options.

    Returns:
        The model.

    Raises:
        ValueError: If COLMAP fails.
        ImportError: If pycolmap is missing.
    """
    pycolmap = import_pycolmap("a reconstruction")
    quiet_pycolmap(pycolmap)
    output.mkdir(parents=True, exist_ok=True)
    with colmap_errors("COLMAP's triangulation"):
        return pycolmap.triangulate_points(
            _as_in_database(pycolmap, posed, database),
            str(database),
            str(image_dir),
            str(output),
            clear_points=True,
            options=_incremental_options(pycolmap, config or MappingConfig()),
            refine_intrinsics=False,
        )


def _as_in_database(pycolmap: Any, posed: Any, database: Path) -> Any:
    """Return the cameras and poses of a model under the numbers that a database has for them."""
    known = {image.name: image for image in posed.images.values() if image.has_pose}
    model = pycolmap.Reconstruction()
    with pycolmap.Database.open(str(database)) as opened:
        images = {
            image.image_id: image for image in opened.read_all_images() if image.name in known
        }
        cameras = {camera.camera_id: camera for camera in opened.read_all_cameras()}
        rigs, frames = opened.read_all_rigs(), opened.read_all_frames()
    for image in images.values():
        camera = copy(posed.cameras[known[image.name].camera_id])
        camera.camera_id = image.camera_id
        cameras[image.camera_id] = camera
    for camera in cameras.values():
        model.add_camera(camera)
    for rig in rigs:
        model.add_rig(rig)
    for frame in frames:
        own = [images[data.id] for data in frame.image_ids if data.id in images]
        if not own:
            continue
        model.add_frame(frame)
        for image in own:
            pose = known[image.name].cam_from_world()
            model.frames[frame.frame_id].set_cam_from_world(image.camera_id, pose)
            model.add_image(image)
        model.register_frame(frame.frame_id)
    return model


def _incremental_options(pycolmap: Any, config: MappingConfig) -> Any:
    options = pycolmap.IncrementalPipelineOptions()
    options.random_seed = config.seed
    options.num_threads = config.threads
    options.triangulation.ignore_two_view_tracks = not config.two_view_tracks
    return options


def _global_options(
    pycolmap: Any, names: Sequence[str], config: MappingConfig, *, hold: bool
) -> Any:
    options = pycolmap.GlobalPipelineOptions()
    options.random_seed = config.seed
    options.num_threads = config.threads
    options.image_names = list(names)
    if hold:
        adjustment = options.mapper.bundle_adjustment
        adjustment.refine_focal_length = False
        adjustment.refine_extra_params = False
    return options


def _holds_all(
    pycolmap: Any, database: Path, names: Sequence[str], constant_cameras: Collection[int]
) -> bool:
    wanted = set(names)
    with pycolmap.Database.open(str(database)) as opened:
        used = {image.camera_id for image in opened.read_all_images() if image.name in wanted}
    held = used & set(constant_cameras)
    if held and held != used:
        raise ValueError(
            "the global mapper needs the cameras of all photographs or of none, found "
            f"{len(held)} of {len(used)}: use --mapper incremental"
        )
    return bool(held)
