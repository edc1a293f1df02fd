"""The model in which queries are localized: what each feature of its photographs is in space."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gluestick.datasets.posed.formats.colmap_model import read_colmap_model
from gluestick.reconstruction.lines.files import read_line_map
from gluestick.reconstruction.lines.making import LINES
from gluestick.reconstruction.refinement.tracks import PosedImage
from gluestick.storage.fingerprints import file_fingerprint, text_fingerprint

FEATURES, MODEL = "features.h5", "sparse/0"
_MODEL_FILES = ("cameras.bin", "images.bin", "points3D.bin")


@dataclass(frozen=True, kw_only=True)
class SceneMap:
    """Points and lines in space, and the features that they are seen as.

    Attributes:
        names: The registered photographs, in alphabetical order.
        points3d: [N, 3], the points of the model.
        lines3d: [M, 2, 3], the lines, empty without a line map.
        points_of_keypoints: For each photograph [P] int64, the row in ``points3d`` of each
            keypoint; -1 where it is none.
        lines_of_segments: For each photograph the rows in ``lines3d`` by the indices of its
            segments; segments that are part of no line are left out.
        views: The photographs with their poses.
        fingerprint: Changes with all of it.
    """

    names: Sequence[str]
    points3d: np.ndarray
    lines3d: np.ndarray
    points_of_keypoints: Mapping[str, np.ndarray]
    lines_of_segments: Mapping[str, Mapping[int, int]]
    views: Mapping[str, PosedImage]
    fingerprint: str


def read_scene_map(folder: Path) -> SceneMap:
    """Read the model in the folder of a reconstruction.

    Args:
        folder: What :func:`gluestick.reconstruction.reconstruct` wrote: ``sparse/0`` and, where
            there is one, ``lines.json``, which has for each of ``lines`` its ends ``start`` and
            ``end`` and its ``track``, pairs of a photograph's name and the index of a segment.

    Returns:
        The map.

    Raises:
        ValueError: If a file is missing or damaged, or no photograph sees a point.
        ImportError: If pycolmap is missing.
    """
    model = read_colmap_model(folder / MODEL)
    numbers = sorted(model.point3D_ids())
    rows = {number: row for row, number in enumerate(numbers)}
    seen = {
        image.name: np.array(
            [rows[point.point3D_id] if point.has_point3D() else -1 for point in image.points2D],
            dtype=np.int64,
        )
        for image in model.images.values()
        if image.has_pose
    }
    if not any((own >= 0).any() for own in seen.values()):
        raise ValueError(f"the model in {folder / MODEL} has no points to match with")
    names = sorted(seen)
    lines3d, lines = _read_lines(folder / LINES, names)
    files = [folder / MODEL / name for name in _MODEL_FILES]
    files += [folder / LINES] if (folder / LINES).is_file() else []
    return SceneMap(
        names=names,
        points3d=np.array([model.points3D[number].xyz for number in numbers]),
        lines3d=lines3d,
        points_of_keypoints=seen,
        lines_of_segments=lines,
        views={
            image.name: PosedImage(image, model.cameras[image.camera_id])
            for image in model.images.values()
            if image.has_pose
        },
        fingerprint=text_fingerprint(" ".join(map(file_fingerprint, files))),
    )


def _read_lines(path: Path, names: Sequence[str]) -> tuple[np.ndarray, dict[str, dict[int, int]]]:
    if not path.is_file():
        return np.zeros((0, 2, 3)), {}
    lines, _ = read_line_map(path, names)
    found: dict[str, dict[int, int]] = {name: {} for name in names}
    for row, view, segment in lines.observations.tolist():
        found[names[view]][segment] = row
    return lines.segments, found
