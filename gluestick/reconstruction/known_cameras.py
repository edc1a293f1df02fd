"""Cameras that are known beforehand, from a file.

Two kinds are read: ``cameras.json``, which holds for each image ``K`` [3, 3] px, and optionally
``width``, ``height`` and ``distortion`` (OpenCV's k1, k2, p1, p2), with (0, 0) at the centre of the
top-left pixel; and COLMAP's models, text or binary.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gluestick.datasets.posed.formats.colmap_model import find_colmap_model, read_colmap_model
from gluestick.datasets.posed.formats.colmap_text import read_cameras_text


@dataclass(frozen=True)
class KnownCamera:
    """A camera in COLMAP's terms.

    Attributes:
        model: The name of the camera model.
        params: Its parameters, with (0, 0) at the image's corner.
        image_size: (width, height) px, or None where it is not known.
    """

    model: str
    params: tuple[float, ...]
    image_size: tuple[int, int] | None = None

    def check_size(self, name: str, image_size: tuple[int, int]) -> None:
        """Check that it is the camera of an image.

        Raises:
            ValueError: If it is for another size.
        """
        if self.image_size not in (None, tuple(image_size)):
            assert self.image_size is not None
            raise ValueError(
                f"the known camera of {name} is for {self.image_size[0]} x {self.image_size[1]} "
                f"px, and the photograph has {image_size[0]} x {image_size[1]} px: scale it"
            )


def read_known_cameras(path: Path, names: Collection[str]) -> dict[str, KnownCamera]:
    """Read the cameras of some photographs.

    Args:
        path: ``cameras.json``; a folder with a COLMAP model; or ``cameras.txt`` alone, which has
            one camera for all photographs.
        names: The photographs.

    Returns:
        The cameras of those that the file knows, by name.

    Raises:
        ValueError: If the file is missing or damaged, or knows none of them.
        ImportError: If a COLMAP model is to be read and pycolmap is missing.
    """
    if path.is_dir():
        model = find_colmap_model(path)
        if model is None:
            raise ValueError(f"{path} needs the files of a COLMAP model, found none")
        cameras = cameras_of_model(read_colmap_model(model))
    elif path.suffix.lower() == ".json":
        cameras = _read_json(path)
    elif path.suffix.lower() == ".txt":
        cameras = dict.fromkeys(names, _only_camera(path))
    else:
        raise ValueError(
            f"known cameras are read from cameras.json, cameras.txt or the folder of a COLMAP "
            f"model, found {path}"
        )
    found = {name: cameras[name] for name in names if name in cameras}
    if not found:
        raise ValueError(f"{path} knows the camera of none of the {len(names)} photographs")
    return found


def cameras_of_model(reconstruction: Any) -> dict[str, KnownCamera]:
    """Return the cameras of the images of a COLMAP model by name."""
    cameras = {
        number: KnownCamera(
            camera.model_name, tuple(map(float, camera.params)), (camera.width, camera.height)
        )
        for number, camera in reconstruction.cameras.items()
    }
    return {image.name: cameras[image.camera_id] for image in reconstruction.images.values()}


def _only_camera(path: Path) -> KnownCamera:
    cameras = list(read_cameras_text(path).values())
    if len(cameras) != 1:
        raise ValueError(
            f"{path} needs a single camera to be that of all photographs, found {len(cameras)}: "
            "name the folder of the model"
        )
    camera = cameras[0]
    return KnownCamera(camera.model, tuple(camera.params.tolist()), camera.image_size)


def _read_json(path: Path) -> dict[str, KnownCamera]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {name: _of_entry(entry) for name, entry in stored.items()}
    except FileNotFoundError as error:
        raise ValueError(f"there is no file of cameras {path}") from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(
            f"{path} needs for each image K [3, 3], and optionally width, height and distortion: "
            f"{error!r}"
        ) from error


def _of_entry(entry: Mapping[str, Any]) -> KnownCamera:
    K = np.array(entry["K"], dtype=np.float64).reshape(3, 3)
    if not (np.isfinite(K).all() and K[0, 0] > 0 and K[1, 1] > 0 and K[0, 1] == 0):
        raise ValueError(f"a camera without skew needs positive focal lengths, found {K.tolist()}")
    pinhole = tuple(float(value) for value in (K[0, 0], K[1, 1], K[0, 2] + 0.5, K[1, 2] + 0.5))
    distortion = [float(value) for value in entry.get("distortion", ())]
    if len(distortion) > 4:
        raise ValueError(f"distortion needs up to four numbers, found {distortion}")
    size = (int(entry["width"]), int(entry["height"])) if "width" in entry else None
    if not any(distortion):
        return KnownCamera("PINHOLE", pinhole, size)
    return KnownCamera("OPENCV", (*pinhole, *(distortion + [0.0] * 4)[:4]), size)
