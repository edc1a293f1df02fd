"""Planar worlds on disk, as posed pairs with depth that can be measured and trained on."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from torch import Tensor

from gluestick.datasets.posed.depth_views import MILLIMETRE
from gluestick.datasets.posed.posed_pairs import PAIRS_FILES, PosedPair, write_posed_pairs
from gluestick.datasets.worlds.planar_worlds import PlanarWorlds, WorldPair
from gluestick.storage.atomic import atomic_path
from gluestick.types import Camera, Pose


def write_worlds(folder: Path, worlds: PlanarWorlds, numbers: Iterable[int]) -> Path:
    """Write pairs of planar worlds as ``images/``, ``depths/`` and ``pairs_with_gt.txt``.

    That is what :func:`gluestick.datasets.posed.depth_views.list_depth_pairs` reads, and with it
    ``gluestick benchmark lines3d``. Depth is rounded to millimetres.

    Args:
        folder: Where they are written.
        worlds: Makes the pairs.
        numbers: Which ones.

    Returns:
        The list of pairs, which is written last.

    Raises:
        ValueError: If no photograph can be read.
        OSError: If a file cannot be written.
    """
    pairs = []
    for number in numbers:
        pair = worlds.make(number)
        names = [f"{number:06d}_{side}.png" for side in (0, 1)]
        for name, image, depth in (
            (names[0], pair.image0, pair.depth0),
            (names[1], pair.image1, pair.depth1),
        ):
            pixels = np.ascontiguousarray(_to_bytes(image).transpose(1, 2, 0)[..., ::-1])
            _write_png(folder / "images" / name, pixels)
            millimetres = np.round(depth.numpy() / MILLIMETRE).astype(np.uint16)
            _write_png(folder / "depths" / name, millimetres)
        pairs.append(_posed_pair(names, pair))
    path = folder / PAIRS_FILES[0]
    write_posed_pairs(path, pairs)
    return path


def _posed_pair(names: list[str], pair: WorldPair) -> PosedPair:
    K0, K1, R, t = (
        value.double().numpy() for value in (pair.K0, pair.K1, pair.R_0to1, pair.t_0to1)
    )
    return PosedPair(
        name0=names[0],
        name1=names[1],
        camera0=Camera(K=K0),
        camera1=Camera(K=K1),
        pose_0to1=Pose(R=R, t=t),
    )


def _to_bytes(image: Tensor) -> np.ndarray:
    return (image * 255).round().byte().numpy()


def _write_png(path: Path, pixels: np.ndarray) -> None:
    done, content = cv2.imencode(".png", pixels)
    assert done
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.tobytes())
