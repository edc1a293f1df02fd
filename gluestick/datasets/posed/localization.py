"""Scenes to localize in: reference images with geometry, and queries whose poses are known.

Two layouts are read, both with ``images/``.

- With depth: ``cameras.json`` (for each image ``K``, ``R_cam_from_world``,
  ``t_cam_from_world``, and ``distortion`` where there is some; see
  :mod:`gluestick.datasets.posed.formats.lenses`) and ``depths/*.png`` in millimetres.
- A COLMAP model of all images, as text or binary, in the folder itself, ``sparse/0/``,
  ``sparse/`` or ``model/``. Lines are optional, in ``lines3d.npz``: ``lines3d`` [M, 2, 3] in the
  model's frame and, for each of K observations, ``image_names`` [K], ``line_indices`` [K] and
  ``segments`` [K, 2, 2] px.

Which reference images a query is matched against stands in ``pairs.txt``, lines of
``query reference``. Without it ``queries.txt`` lists the queries of a COLMAP model, and the
references that share the most points with them are taken; or a list of posed pairs (see
:mod:`gluestick.datasets.posed.posed_pairs`) tells, whose first image is the reference.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gluestick.datasets.pair_lists import read_lines, read_pairs
from gluestick.datasets.posed.depth_views import DepthReader, depth_reader, find_depth
from gluestick.datasets.posed.formats.colmap_model import (
    find_colmap_model,
    pinhole_camera,
    read_colmap_model,
    undistort_by,
)
from gluestick.datasets.posed.formats.lenses import CAMERAS_FILE, read_cameras_json, read_distortion
from gluestick.datasets.posed.posed_pairs import (
    find_image,
    find_pairs_file,
    nearest_rotation,
    read_posed_pairs,
)
from gluestick.types import Camera, Pose


@dataclass(frozen=True, kw_only=True)
class Observations:
    """What a reference image observes of the known points and lines of a scene.

    Attributes:
        keypoints: [K, 2] px.
        points3d: [K, 3], the points that are seen there.
        segments: [J, 2, 2] px.
        lines3d: [J, 2, 3], the lines that are seen there.
    """

    keypoints: np.ndarray
    points3d: np.ndarray
    segments: np.ndarray
    lines3d: np.ndarray


def _same(points: np.ndarray) -> np.ndarray:
    return points


@dataclass(frozen=True, kw_only=True)
class SceneImage:
    """A posed image of a scene. Either its depth or its observations are known.

    Attributes:
        name: Its name.
        image: The file.
        camera: The calibration; where ``undistort`` does something, that of a pinhole camera.
        cam_from_world: X_camera = R X_world + t.
        read_depth: Reads the depth map.
        observe: Returns the observations.
        undistort: Maps positions [..., 2] px of the image to those of the pinhole camera.
    """

    name: str
    image: Path
    camera: Camera
    cam_from_world: Pose
    read_depth: DepthReader | None = None
    observe: Callable[[], Observations] | None = None
    undistort: Callable[[np.ndarray], np.ndarray] = _same


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The images of a scene.

    Attributes:
        images: By name.
        point_ids: For each image the numbers of the points that it observes; empty where
            there is depth.
    """

    images: dict[str, SceneImage]
    point_ids: dict[str, frozenset[int]]


def read_scene(folder: Path) -> Scene:
    """Read a scene of either layout.

    Args:
        folder: See the top of this module.

    Returns:
        The scene.

    Raises:
        ValueError: If the folder has neither layout, or a file is missing or damaged.
        ImportError: If a COLMAP model is to be read and pycolmap is missing.
    """
    if (folder / CAMERAS_FILE).is_file():
        return _read_depth_scene(folder)
    model = find_colmap_model(folder)
    if model is not None:
        return _read_colmap_scene(folder, model)
    raise ValueError(
        f"{folder} needs cameras.json and depths/, or a COLMAP model in itself, sparse/0/, "
        "sparse/ or model/; found neither"
    )


def list_references(folder: Path, scene: Scene, *, max_references: int) -> dict[str, list[str]]:
    """Return the reference images of each query, the best first.

    Args:
        folder: The folder of the scene.
        scene: What :func:`read_scene` returned.
        max_references: How many are kept for each query.

    Returns:
        The names of the references by the name of the query.

    Raises:
        ValueError: If no file tells which images are queries, or it names an unknown image.
    """
    pairs = folder / "pairs.txt"
    queries = folder / "queries.txt"
    posed = find_pairs_file(folder)
    if pairs.is_file():
        listed = read_pairs(pairs)
    elif queries.is_file():
        named = [line for _, line in read_lines(queries)]
        listed = _most_covisible(scene, named, max_references)
    elif posed is not None:
        listed = [(pair.name1, pair.name0) for pair in read_posed_pairs(posed)]
    else:
        raise ValueError(
            f"{folder} needs pairs.txt (query reference), queries.txt or pairs_with_gt.txt"
        )
    unknown = {name for pair in listed for name in pair} - set(scene.images)
    if unknown:
        raise ValueError(f"{folder} has no camera for {min(unknown)!r}")
    references: dict[str, list[str]] = {}
    for query, reference in listed:
        references.setdefault(query, []).append(reference)
    if not references:
        raise ValueError(f"{folder} lists no query")
    return {query: names[:max_references] for query, names in references.items()}


def _most_covisible(
    scene: Scene, queries: Sequence[str], max_references: int
) -> list[tuple[str, str]]:
    unknown = set(queries) - set(scene.point_ids)
    if unknown:
        raise ValueError(
            f"queries.txt needs images of a COLMAP model, and {min(unknown)!r} is none: list "
            "its references in pairs.txt"
        )
    listed = []
    for query in dict.fromkeys(queries):
        shared = {
            name: len(ids & scene.point_ids[query])
            for name, ids in scene.point_ids.items()
            if name not in queries
        }
        best = sorted(shared, key=lambda name: (-shared[name], name))[:max_references]
        listed += [(query, name) for name in best if shared[name] > 0]
    return listed


def _read_depth_scene(folder: Path) -> Scene:
    images = {}
    try:
        for name, values in read_cameras_json(folder).items():
            K, R, t = (
                np.array(values[key], dtype=np.float64)
                for key in ("K", "R_cam_from_world", "t_cam_from_world")
            )
            images[name] = SceneImage(
                name=name,
                image=find_image(folder, name),
                camera=Camera(K=K, distortion=read_distortion(values)),
                cam_from_world=Pose(R=nearest_rotation(R), t=t),
                read_depth=depth_reader(find_depth(folder, name)),
            )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{folder / CAMERAS_FILE} needs K, R_cam_from_world and t_cam_from_world for each "
            f"image: {error!r}"
        ) from error
    return Scene(images=images, point_ids={})


def _read_colmap_scene(folder: Path, model: Path) -> Scene:
    reconstruction = read_colmap_model(model)
    lines = _read_lines3d(folder / "lines3d.npz")
    images, point_ids = {}, {}
    for image in reconstruction.images.values():
        if not image.has_pose:
            continue
        pose, camera = image.cam_from_world(), reconstruction.cameras[image.camera_id]
        images[image.name] = SceneImage(
            name=image.name,
            image=find_image(folder, image.name),
            camera=pinhole_camera(camera),
            cam_from_world=Pose(R=pose.rotation.matrix(), t=np.array(pose.translation)),
            observe=partial(_observations, reconstruction, image.image_id, lines),
            undistort=partial(undistort_by, camera),
        )
        observed = (point.point3D_id for point in image.points2D if point.has_point3D())
        point_ids[image.name] = frozenset(observed)
    return Scene(images=images, point_ids=point_ids)


def _observations(reconstruction: Any, image_id: int, lines: dict[str, np.ndarray]) -> Observations:
    image = reconstruction.images[image_id]
    seen = [point for point in image.points2D if point.has_point3D()]
    points3d = [reconstruction.points3D[point.point3D_id].xyz for point in seen]
    own = lines["image_names"] == image.name
    return Observations(
        keypoints=np.array([point.xy for point in seen]).reshape(-1, 2) - 0.5,
        points3d=np.array(points3d).reshape(-1, 3),
        segments=lines["segments"][own],
        lines3d=lines["lines3d"][lines["line_indices"][own]],
    )


def _read_lines3d(path: Path) -> dict[str, np.ndarray]:
    arrays = {
        "lines3d": np.zeros((0, 2, 3)),
        "image_names": np.zeros(0, dtype=str),
        "line_indices": np.zeros(0, dtype=np.int64),
        "segments": np.zeros((0, 2, 2)),
    }
    if not path.is_file():
        return arrays
    try:
        with np.load(path, allow_pickle=False) as stored:
            found = {name: stored[name] for name in arrays}
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{path} needs the arrays {', '.join(arrays)}: {error}") from error
    indices, number = found["line_indices"], len(found["line_indices"])
    fits = (
        found["lines3d"].shape[1:] == (2, 3)
        and found["segments"].shape == (number, 2, 2)
        and found["image_names"].shape == (number,)
        and (number == 0 or 0 <= indices.min() <= indices.max() < len(found["lines3d"]))
    )
    if not fits:
        shapes = {name: list(array.shape) for name, array in found.items()}
        raise ValueError(
            f"{path} needs lines3d [M, 2, 3], image_names [K], line_indices [K] below M and "
            f"segments [K, 2, 2], found {shapes}"
        )
    return found
