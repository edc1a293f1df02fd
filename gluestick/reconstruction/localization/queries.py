"""Which photographs are to be localized, and what is known of their cameras.

A list of queries has a name in each line, as hloc's, or a name and a camera in COLMAP's terms:
``name MODEL width height parameters...``. Names may have spaces.
"""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from gluestick.datasets.pair_lists import read_lines
from gluestick.datasets.photographs import list_photographs
from gluestick.datasets.posed.formats.colmap_model import import_pycolmap
from gluestick.images.header import read_header
from gluestick.reconstruction.known_cameras import KnownCamera, read_known_cameras

CameraSource = Literal["given", "exif", "unknown"]
"""Where the focal length of a query is known from."""

_UNUSABLE = ("INVALID", "EQUIRECTANGULAR")

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_CAMERA = re.compile(rf"(.+?)\s+([A-Z][A-Z0-9_]+)\s+(\d+)\s+(\d+)((?:\s+{_NUMBER})+)")


@dataclass(frozen=True, kw_only=True)
class Query:
    """A photograph to be localized.

    Attributes:
        name: Its name, relative to its folder.
        path: The file.
        camera: Its calibration, or None where nobody said.
    """

    name: str
    path: Path
    camera: KnownCamera | None = None


@dataclass(frozen=True, kw_only=True)
class QueryCamera:
    """The camera of a query, as far as it is known.

    Attributes:
        source: Where the focal length is known from.
        calibrated: A ``pycolmap.Camera`` where the calibration was given, else None.
        expected_focal_length: What EXIF says, px, or None.
    """

    source: CameraSource
    calibrated: Any = None
    expected_focal_length: float | None = None


def read_queries(
    queries: Path, *, query_dir: Path | None = None, cameras: Path | None = None
) -> list[Query]:
    """List the photographs to be localized.

    Args:
        queries: A folder of photographs, or a list of their names.
        query_dir: The folder in which those of a list are; that of the list if left out.
        cameras: Known cameras (see :mod:`gluestick.reconstruction.known_cameras`), which come
            before those of the list, or None.

    Returns:
        The queries, each once, in the order of the list or of their names.

    Raises:
        ValueError: If there is no such folder or list, it names nothing, a line or a camera
            cannot be read, or no query's camera is in the file of cameras.
    """
    listed: dict[str, KnownCamera | None]
    if queries.is_dir():
        folder, listed = queries, dict.fromkeys(list_photographs(queries))
    elif queries.exists():
        folder = query_dir or queries.parent
        if not folder.is_dir():
            raise ValueError(f"there is no folder {folder} of queries")
        listed = _read_list(queries)
    else:
        raise ValueError(f"there is no folder and no list {queries}: name one of photographs")
    known = {} if cameras is None else read_known_cameras(cameras, list(listed))
    return [
        Query(name=name, path=folder / name, camera=known.get(name, camera))
        for name, camera in listed.items()
    ]


def query_camera(query: Query, image_size: tuple[int, int]) -> QueryCamera:
    """Return what is known of the camera of a query.

    Args:
        query: The query.
        image_size: (width, height) px as stored.

    Returns:
        The camera: as given, or what EXIF says.

    Raises:
        ValueError: If the given one is for another size, or not one of COLMAP's.
    """
    if query.camera is None:
        header = read_header(query.path)
        length = None if header is None else header.focal_length
        return QueryCamera(
            source="unknown" if length is None else "exif", expected_focal_length=length
        )
    query.camera.check_size(query.name, image_size)
    return QueryCamera(source="given", calibrated=_colmap_camera(query.camera, image_size))


def _read_list(path: Path) -> dict[str, KnownCamera | None]:
    listed: dict[str, KnownCamera | None] = {}
    for number, line in read_lines(path):
        match = _CAMERA.fullmatch(line)
        name, camera = (line, None) if match is None else (match[1], _camera(match))
        parts = PurePosixPath(name).parts
        if not parts or ".." in parts or PurePosixPath(name).is_absolute():
            raise ValueError(f"{path}, line {number}: {name!r} is not below the folder of queries")
        try:
            if camera is not None:
                _colmap_camera(camera, (1, 1))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
        listed.setdefault(name, camera)
    if not listed:
        raise ValueError(f"{path} needs lines with the name of a photograph, found none")
    return listed


def _camera(match: re.Match[str]) -> KnownCamera:
    params = tuple(float(value) for value in match[5].split())
    return KnownCamera(match[2], params, (int(match[3]), int(match[4])))


def _colmap_camera(camera: KnownCamera, image_size: tuple[int, int]) -> Any:
    pycolmap = import_pycolmap("localization")
    width, height = camera.image_size or image_size
    if camera.model not in pycolmap.CameraModelId.__members__ or camera.model in _UNUSABLE:
        raise ValueError(f"there is no camera model {camera.model}: name one of COLMAP's")
    made = pycolmap.Camera.create_from_model_name(0, camera.model, 1.0, width, height)
    if len(made.params) != len(camera.params):
        raise ValueError(
            f"{camera.model} needs {len(made.params)} parameters, found {len(camera.params)}"
        )
    made.params = list(camera.params)
    if made.has_bogus_params(0.0, float("inf"), float("inf")):
        raise ValueError(
            f"{camera.model} needs a positive focal length and a principal point within the "
            f"image, found {made.params_to_string()}"
        )
    return made
