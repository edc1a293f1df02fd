"""Cameras and images of a COLMAP database, as COLMAP itself reads them from photographs.

Camera models and focal lengths from EXIF, positions and the direction of gravity are what
``pycolmap.import_images`` finds. It works on a database of its own, whose rows are then added to
the one that is meant, under new numbers: what that one holds stays as it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from gluestick.datasets.posed.formats.colmap_model import import_pycolmap
from gluestick.images.header import read_header
from gluestick.reconstruction.colmap.database import (
    colmap_errors,
    open_database,
    scratch_database,
)
from gluestick.reconstruction.known_cameras import KnownCamera

CameraSharing = Literal["auto", "single", "folder", "image"]
"""Which photographs have one camera: those whose EXIF agrees, all, those of a folder, or none."""

_DEFAULT_FOCAL_LENGTH = 1.2
"""Where EXIF says nothing, in units of the longer side, as in COLMAP."""


@dataclass(frozen=True, kw_only=True)
class CameraOptions:
    """How cameras are read from photographs.

    Attributes:
        model: The name of COLMAP's camera model.
        sharing: Which photographs share a camera.
    """

    model: str = "SIMPLE_RADIAL"
    sharing: CameraSharing = "auto"

    def __post_init__(self) -> None:
        if self.sharing not in get_args(CameraSharing):
            raise ValueError(
                f"camera sharing needs to be {', '.join(get_args(CameraSharing))}, found "
                f"{self.sharing!r}"
            )


def check_cameras(
    options: CameraOptions,
    image_sizes: Mapping[str, tuple[int, int]],
    known: Mapping[str, KnownCamera],
) -> None:
    """Check that the cameras of photographs can be written, before anything is.

    Args:
        options: How cameras are read.
        image_sizes: (width, height) px as stored, by name.
        known: The cameras of some photographs.

    Raises:
        ValueError: If there is no such camera model, or a known camera is for another size.
        ImportError: If pycolmap is missing.
    """
    if options.model not in import_pycolmap("cameras").CameraModelId.__members__:
        raise ValueError(f"there is no camera model {options.model}: name one of COLMAP's")
    for name, size in image_sizes.items():
        if name in known:
            known[name].check_size(name, size)


def add_images(
    database: Any,
    image_dir: Path,
    image_sizes: Mapping[str, tuple[int, int]],
    *,
    known: Mapping[str, KnownCamera] | None = None,
    options: CameraOptions | None = None,
) -> dict[str, int]:
    """Add photographs and their cameras to a database.

    Args:
        database: An open ``pycolmap.Database``. Images that it holds already stay as they are,
            with their cameras.
        image_dir: The folder of photographs.
        image_sizes: (width, height) px as stored, by names relative to the folder.
        known: The cameras of some photographs; equal ones become one camera.
        options: How the others are read.

    Returns:
        The numbers of the images by name.

    Raises:
        ValueError: If there is no such camera model, a known camera or one in the database is
            for another size, or the database cannot be written.
    """
    known, options = known or {}, options or CameraOptions()
    pycolmap = import_pycolmap("a COLMAP database")
    check_cameras(options, image_sizes, known)
    numbers = {image.name: image.image_id for image in database.read_all_images()}
    new = {name: size for name, size in image_sizes.items() if name not in numbers}
    with scratch_database() as path:
        with colmap_errors("reading the photographs' cameras"):
            _import(pycolmap, path, image_dir, new, known, options)
        with open_database(path) as scratch:
            _add_unread(pycolmap, scratch, image_dir, new, known, options)
            with colmap_errors("adding images to the database"):
                _copy(pycolmap, scratch, database)
    numbers |= {image.name: image.image_id for image in database.read_all_images()}
    _check_sizes(database, image_sizes, numbers)
    return {name: numbers[name] for name in image_sizes}


def _import(
    pycolmap: Any,
    path: Path,
    image_dir: Path,
    names: Iterable[str],
    known: Mapping[str, KnownCamera],
    options: CameraOptions,
) -> None:
    groups: dict[KnownCamera | None, list[str]] = {}
    for name in names:
        groups.setdefault(known.get(name), []).append(name)
    modes = {
        "auto": pycolmap.CameraMode.AUTO,
        "single": pycolmap.CameraMode.SINGLE,
        "folder": pycolmap.CameraMode.PER_FOLDER,
        "image": pycolmap.CameraMode.PER_IMAGE,
    }
    for camera, members in groups.items():
        mode, reader = modes[options.sharing], pycolmap.ImageReaderOptions()
        reader.camera_model = options.model
        if camera is not None:
            mode, reader.camera_model = pycolmap.CameraMode.SINGLE, camera.model
            reader.camera_params = ", ".join(map(repr, camera.params))
        pycolmap.import_images(str(path), str(image_dir), mode, members, reader)


def _add_unread(
    pycolmap: Any,
    scratch: Any,
    image_dir: Path,
    image_sizes: Mapping[str, tuple[int, int]],
    known: Mapping[str, KnownCamera],
    options: CameraOptions,
) -> None:
    """Add photographs in formats that pycolmap does not read, such as WebP."""
    read = {image.name for image in scratch.read_all_images()}
    for name, (width, height) in image_sizes.items():
        if name in read:
            continue
        if name in known:
            camera = pycolmap.Camera(
                model=known[name].model, width=width, height=height, params=known[name].params
            )
            camera.has_prior_focal_length = True
        else:
            header = read_header(image_dir / name)
            focal_length = None if header is None else header.focal_length
            camera = pycolmap.Camera.create_from_model_name(
                0,
                options.model,
                focal_length or _DEFAULT_FOCAL_LENGTH * max(width, height),
                width,
                height,
            )
            camera.has_prior_focal_length = focal_length is not None
        _write_image(pycolmap, scratch, name, *_write_camera(pycolmap, scratch, camera))


def _copy(pycolmap: Any, source: Any, target: Any) -> None:
    priors = {prior.corr_data_id.id: prior for prior in source.read_all_pose_priors()}
    cameras = {camera.camera_id: camera for camera in source.read_all_cameras()}
    written: dict[int, tuple[int, int]] = {}
    with pycolmap.DatabaseTransaction(target):
        for image in source.read_all_images():
            if image.camera_id not in written:
                written[image.camera_id] = _write_camera(pycolmap, target, cameras[image.camera_id])
            data_id = _write_image(pycolmap, target, image.name, *written[image.camera_id])
            prior = priors.get(image.image_id)
            if prior is not None:
                prior.corr_data_id = data_id
                target.write_pose_prior(prior)


def _write_camera(pycolmap: Any, database: Any, camera: Any) -> tuple[int, int]:
    """Write a camera and a rig of it alone, and return the numbers of both."""
    camera.camera_id = database.write_camera(camera)
    rig = pycolmap.Rig()
    rig.add_ref_sensor(camera.sensor_id)
    return camera.camera_id, database.write_rig(rig)


def _write_image(pycolmap: Any, database: Any, name: str, camera_id: int, rig_id: int) -> Any:
    """Write an image and a frame of it alone, and return what its data are called."""
    image = pycolmap.Image(name=name, camera_id=camera_id)
    image.image_id = database.write_image(image)
    frame = pycolmap.Frame()
    frame.rig_id = rig_id
    frame.add_data_id(image.data_id)
    database.write_frame(frame)
    return image.data_id


def _check_sizes(
    database: Any, image_sizes: Mapping[str, Sequence[int]], numbers: Mapping[str, int]
) -> None:
    cameras = {camera.camera_id: camera for camera in database.read_all_cameras()}
    images = {image.name: image for image in database.read_all_images()}
    for name, size in image_sizes.items():
        camera = cameras[images[name].camera_id]
        if (camera.width, camera.height) != tuple(size):
            raise ValueError(
                f"the database has a camera of {camera.width} x {camera.height} px for {name}, "
                f"which has {size[0]} x {size[1]} px: it is of another photograph"
            )
