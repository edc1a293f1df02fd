"""The distortion of the lenses of a data folder, which lists of pairs do not know.

Two files may say it: ``cameras.json``, in which an image may have ``distortion``, OpenCV's
k1, k2, p1, p2, k3 of which the last may be left out; or a COLMAP model of the images, in the
folder itself, ``sparse/0/``, ``sparse/`` or ``model/``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gluestick.datasets.posed.formats.colmap_model import find_colmap_model, read_colmap_model
from gluestick.types import Camera

Distortion = tuple[float, ...]

CAMERAS_FILE = "cameras.json"


def read_lenses(folder: Path) -> dict[str, Distortion]:
    """Return the distortion of the images of a folder by their names; none for most folders.

    Args:
        folder: See the top of this module.

    Returns:
        OpenCV's coefficients of the images that have some.

    Raises:
        ValueError: If a file is damaged, or COLMAP's camera has another model than those of
            :meth:`gluestick.types.Camera.from_colmap`.
        ImportError: If a COLMAP model is to be read and pycolmap is missing.
    """
    model = find_colmap_model(folder)
    if (folder / CAMERAS_FILE).is_file():
        cameras = {
            name: read_distortion(values) for name, values in read_cameras_json(folder).items()
        }
    elif model is not None:
        reconstruction = read_colmap_model(model)
        of_cameras = {
            number: Camera.from_colmap(camera.model.name, camera.params).distortion
            for number, camera in reconstruction.cameras.items()
        }
        cameras = {
            image.name: of_cameras[image.camera_id] for image in reconstruction.images.values()
        }
    else:
        return {}
    return {name: distortion for name, distortion in cameras.items() if any(distortion)}


def read_cameras_json(folder: Path) -> Mapping[str, Mapping[str, Any]]:
    """Read ``cameras.json``: what is known of each image, by its name.

    Raises:
        ValueError: If it is not such a file.
    """
    path = folder / CAMERAS_FILE
    try:
        cameras = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(cameras, dict) or not all(isinstance(own, dict) for own in cameras.values()):
        raise ValueError(f"{path} needs names of images with K and their poses")
    return cameras


def read_distortion(values: Mapping[str, Any]) -> Distortion:
    """Return the distortion of an entry of ``cameras.json``.

    Raises:
        ValueError: If it is not one.
    """
    given = values.get("distortion", ())
    if not isinstance(given, Sequence) or not all(
        isinstance(value, int | float) for value in given
    ):
        raise ValueError(f"distortion needs a list of OpenCV's k1, k2, p1, p2, k3, found {given!r}")
    return tuple(float(value) for value in given)


def with_lens(camera: Camera, distortion: Distortion | None) -> Camera:
    """Return a camera with a distortion, or as it is where none is known."""
    return camera if distortion is None else replace(camera, distortion=distortion)
