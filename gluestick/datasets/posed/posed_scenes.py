"""Posed scenes with depth to train on, and which of their pairs see enough of the same.

These arrangements are read:

- MegaDepth's (arXiv 1804.00607): ``scene_info/*.npz``, see :mod:`.megadepth`.
- A folder with ``images/`` and depth maps, or a folder of such folders. The pairs are those of a
  list with poses (see :mod:`.posed_pairs`); or those of ``overlaps.txt``, lines of ``name0 name1
  overlap``, with the poses in ``cameras.json`` or in a COLMAP model (see :mod:`.localization`);
  or, with a COLMAP model alone, all pairs, whose overlap is the share of the points of one image
  that the other sees, the smaller of both. Where ``overlaps.txt`` lies beside a list with poses,
  pairs that it does not name are left out.

Where the maps lie is told by :func:`gluestick.datasets.posed.depth_views.find_depth`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np

from gluestick.datasets.pair_lists import read_lines
from gluestick.datasets.posed.depth_views import (
    DepthView,
    DepthViewPair,
    depth_reader,
    find_depth,
    list_depth_pairs,
    relative_pose,
)
from gluestick.datasets.posed.formats.megadepth import MegaDepthScene, is_megadepth, scene_files
from gluestick.datasets.posed.localization import Scene, SceneImage, read_scene
from gluestick.datasets.posed.posed_pairs import find_pairs_file

OVERLAPS_FILE = "overlaps.txt"
_MOST_DISTORTION = 0.1
"""px, at the corner of the image."""

Overlap = tuple[float, float]
"""The smallest and the largest share in [0, 1] of one image that the other sees."""


@dataclass(frozen=True, kw_only=True)
class PosedScene:
    """Pairs of images of one scene.

    Attributes:
        name: Its name.
        image_names: The names of its images.
        pairs: [P, 2] int64, indices of images.
        load: Returns the pair of an index below P.
    """

    name: str
    image_names: tuple[str, ...]
    pairs: np.ndarray
    load: Callable[[int], DepthViewPair]


def list_posed_scenes(folder: Path, *, overlap: Overlap) -> list[PosedScene]:
    """Return the scenes of a folder, each with the pairs whose overlap is within a range.

    Args:
        folder: One of the arrangements at the top of this module.
        overlap: The range. Pairs of a list with poses are all taken where no overlap is known.

    Returns:
        The scenes that have a pair, in alphabetical order.

    Raises:
        ValueError: If there is no such scene, or something is missing or damaged.
        ImportError: If a COLMAP model is to be read and pycolmap is missing.
    """
    if is_megadepth(folder):
        found = [_megadepth_scene(folder, path, overlap) for path in scene_files(folder)]
    else:
        places = [folder, *sorted(path for path in folder.glob("*") if path.is_dir())]
        found = [_scene(path, overlap) for path in places if (path / "images").is_dir()]
    scenes = [scene for scene in found if len(scene.pairs)]
    if not scenes:
        raise ValueError(
            f"{folder} needs posed images with depth, in scene_info/*.npz or images/, of which two "
            f"share {overlap[0]:g} to {overlap[1]:g}; found {len(found)} scenes without such a pair"
        )
    return scenes


def read_overlaps(path: Path) -> dict[tuple[str, str], float]:
    """Read ``overlaps.txt``.

    Args:
        path: Lines of ``name0 name1 overlap``.

    Returns:
        The overlap in [0, 1] by the names of both images.

    Raises:
        ValueError: If the file is missing or a line is something else; the message names it.
    """
    overlaps = {}
    for number, line in read_lines(path):
        try:
            name0, name1, share = line.split()
            overlaps[name0, name1] = float(share)
        except ValueError as error:
            raise ValueError(
                f"{path}, line {number}: needs name0 name1 overlap, found {line!r}"
            ) from error
    return overlaps


def _scene(folder: Path, overlap: Overlap) -> PosedScene:
    listed = folder / OVERLAPS_FILE
    overlaps = read_overlaps(listed) if listed.is_file() else None
    if find_pairs_file(folder) is not None:
        pairs = list_depth_pairs(folder)
        if overlaps is not None:
            pairs = [
                pair for pair in pairs if _within(overlaps.get(_names_of(pair), -1.0), overlap)
            ]
        return _listed_scene(folder.resolve().name, pairs)
    scene = read_scene(folder)
    if overlaps is None:
        overlaps = covisibilities(scene)
    chosen = [names for names, share in overlaps.items() if _within(share, overlap)]
    unknown = {name for names in chosen for name in names} - set(scene.images)
    if unknown:
        raise ValueError(f"{listed} names {min(unknown)!r}, whose pose is not known")
    names = tuple(sorted(scene.images))
    places = {name: place for place, name in enumerate(names)}
    return PosedScene(
        name=folder.resolve().name,
        image_names=names,
        pairs=_as_pairs([[places[name0], places[name1]] for name0, name1 in chosen]),
        load=partial(_load_pair, folder, scene, chosen),
    )


def covisibilities(scene: Scene) -> dict[tuple[str, str], float]:
    """Return the share of points that images of a COLMAP model have in common, by their names.

    The share is that of the image that sees more of other things.
    """
    shares = {}
    for name0, name1 in combinations(sorted(scene.point_ids), 2):
        ids0, ids1 = scene.point_ids[name0], scene.point_ids[name1]
        largest = max(len(ids0), len(ids1))
        shares[name0, name1] = len(ids0 & ids1) / largest if largest else 0.0
    return shares


def _megadepth_scene(folder: Path, path: Path, overlap: Overlap) -> PosedScene:
    scene = MegaDepthScene.read(path, folder=folder)
    pairs = scene.overlapping_pairs(*overlap)
    return PosedScene(
        name=path.stem,
        image_names=scene.image_paths,
        pairs=pairs,
        load=partial(_load_megadepth, scene, pairs),
    )


def _load_megadepth(scene: MegaDepthScene, pairs: np.ndarray, index: int) -> DepthViewPair:
    return scene.pair(*pairs[index].tolist())


def _load_pair(
    folder: Path, scene: Scene, pairs: list[tuple[str, str]], index: int
) -> DepthViewPair:
    image0, image1 = (scene.images[name] for name in pairs[index])
    return DepthViewPair(
        name=f"{image0.name}|{image1.name}",
        scene=folder.resolve().name,
        view0=_view(folder, image0),
        view1=_view(folder, image1),
        pose_0to1=relative_pose(image0.cam_from_world, image1.cam_from_world),
    )


def _view(folder: Path, image: SceneImage) -> DepthView:
    corner = np.zeros((1, 2))
    moved = abs(image.undistort(corner) - corner).max()
    if image.camera.is_distorted or moved > _MOST_DISTORTION:
        raise ValueError(
            f"{image.image} was taken through a lens that distorts: undistort the model with "
            "`colmap image_undistorter`"
        )
    reader = image.read_depth or depth_reader(find_depth(folder, image.name))
    return DepthView(image=image.image, read_depth=reader, camera=image.camera)


def _listed_scene(name: str, pairs: list[DepthViewPair]) -> PosedScene:
    names = tuple(sorted({name for pair in pairs for name in _names_of(pair)}))
    places = {name: place for place, name in enumerate(names)}
    return PosedScene(
        name=name,
        image_names=names,
        pairs=_as_pairs([[places[own] for own in _names_of(pair)] for pair in pairs]),
        load=pairs.__getitem__,
    )


def _names_of(pair: DepthViewPair) -> tuple[str, str]:
    name0, _, name1 = pair.name.partition("|")
    return name0, name1


def _as_pairs(pairs: list[list[int]]) -> np.ndarray:
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _within(share: float, overlap: Overlap) -> bool:
    return overlap[0] <= share <= overlap[1]
