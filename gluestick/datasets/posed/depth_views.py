"""Pairs of posed images with depth."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from gluestick.datasets.posed.depth_arrays import SUFFIXES, read_depth_array
from gluestick.datasets.posed.formats.lenses import read_lenses
from gluestick.datasets.posed.posed_pairs import find_image, find_pairs_file, read_posed_pairs
from gluestick.datasets.posed.stored_images import load_stored_image, upright_turn
from gluestick.types import Camera, Pose

DepthReader = Callable[[], np.ndarray]
"""Reads a depth map [H, W] float32: z in the unit of the poses at pixel centres, 0 = unknown."""

MILLIMETRE = 1e-3


@dataclass(frozen=True, kw_only=True)
class DepthView:
    """A posed image with depth.

    Attributes:
        image: The file.
        read_depth: Reads the depth map, whose pixels are those of the view.
        camera: The calibration for these pixels.
        image_size: (width, height) px to which the stored image is resized, or None where the
            view has the image's pixels.
        quarters: As in :class:`gluestick.datasets.posed.posed_pairs.PosedPair`.
    """

    image: Path
    read_depth: DepthReader
    camera: Camera
    image_size: tuple[int, int] | None = None
    quarters: int = 0

    def turn(self) -> int:
        """Return how far the view is turned before it is matched, degrees clockwise."""
        return upright_turn(self.image, quarters=self.quarters)

    def load_image(self) -> Tensor:
        """Return the image [3, H, W] float32 in [0, 1], resized and turned upright.

        Raises:
            ValueError: If it cannot be read.
        """
        turn = self.turn()
        image = load_stored_image(self.image, turn=turn)
        if self.image_size is None:
            return image
        size = self.image_size if turn % 180 == 0 else self.image_size[::-1]
        if (image.shape[2], image.shape[1]) == size:
            return image
        return F.interpolate(
            image[None], size=size[::-1], mode="bilinear", align_corners=False, antialias=True
        )[0].clamp(0, 1)


@dataclass(frozen=True, kw_only=True)
class DepthViewPair:
    """Two posed images with depth.

    Attributes:
        name: Unique in the data.
        scene: The scene that they show.
        view0: Image 0.
        view1: Image 1.
        pose_0to1: X1 = R X0 + t.
    """

    name: str
    scene: str
    view0: DepthView
    view1: DepthView
    pose_0to1: Pose


def list_depth_pairs(folder: Path) -> list[DepthViewPair]:
    """Return the pairs of a folder with ``images/``, ``depths/`` and a list of pairs.

    The list is one of :mod:`gluestick.datasets.posed.posed_pairs`; ``depths/`` holds a depth map
    for each image, see :func:`find_depth`.

    Args:
        folder: The folder.

    Returns:
        The pairs in the order of the list.

    Raises:
        ValueError: If the list, an image or a depth map is missing, or images are distorted.
    """
    lenses = read_lenses(folder)
    if lenses:
        raise ValueError(
            f"{folder} says that the lens of {min(lenses)} distorts, and places are compared by "
            "depth without distortion only: undistort images and depth first"
        )
    path = find_pairs_file(folder)
    if path is None:
        raise ValueError(f"{folder} needs a list of pairs, such as pairs_with_gt.txt")
    pairs = []
    for pair in read_posed_pairs(path):
        sides = (
            (pair.name0, pair.camera0, pair.quarters0),
            (pair.name1, pair.camera1, pair.quarters1),
        )
        view0, view1 = (
            DepthView(
                image=find_image(folder, name),
                read_depth=depth_reader(find_depth(folder, name)),
                camera=camera,
                quarters=quarters,
            )
            for name, camera, quarters in sides
        )
        pairs.append(
            DepthViewPair(
                name=f"{pair.name0}|{pair.name1}",
                scene=folder.resolve().name,
                view0=view0,
                view1=view1,
                pose_0to1=pair.pose_0to1,
            )
        )
    return pairs


def find_depth(folder: Path, name: str) -> Path:
    """Return the depth map of an image.

    It is ``depths/NAME`` with NAME's own suffix replaced by ``.png`` (16-bit, thousandths of the
    unit of the poses), ``.npy`` or ``.h5`` (see :mod:`.depth_arrays`); or COLMAP's
    ``stereo/depth_maps/NAME.geometric.bin`` or ``NAME.photometric.bin``.

    Raises:
        ValueError: If there is none.
    """
    stem = folder / "depths" / name
    dense = folder / "stereo" / "depth_maps" / name
    places = [
        *(stem.with_suffix(suffix) for suffix in (".png", ".npy", ".h5")),
        *(dense.with_name(f"{dense.name}.{kind}.bin") for kind in ("geometric", "photometric")),
    ]
    for path in places:
        if path.is_file():
            return path
    raise ValueError(f"there is no depth map {places[0]}")


def depth_reader(path: Path) -> DepthReader:
    """Return what reads a depth map, by the suffix of its file; see :func:`find_depth`."""
    if path.suffix in SUFFIXES:
        return partial(read_depth_array, path)
    return partial(read_depth_png, path, unit=MILLIMETRE)


def relative_pose(cam0_from_world: Pose, cam1_from_world: Pose) -> Pose:
    """Return X1 = R X0 + t between two cameras."""
    R = cam1_from_world.R @ cam0_from_world.R.T
    return Pose(R=R, t=cam1_from_world.t - R @ cam0_from_world.t)


def read_depth_png(path: Path, *, unit: float) -> np.ndarray:
    """Read a depth map of 16-bit integers.

    Args:
        path: A PNG file; 0 stands for unknown.
        unit: What 1 stands for.

    Returns:
        [H, W] float32, 0 where unknown.

    Raises:
        ValueError: If the file is missing or not such a map.
    """
    content = np.frombuffer(path.read_bytes(), np.uint8) if path.is_file() else np.zeros(0)
    values = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if content.size else None
    if values is None or values.dtype != np.uint16 or values.ndim != 2:
        found = "nothing readable" if values is None else f"{values.dtype} {list(values.shape)}"
        raise ValueError(f"{path} needs to be a depth map of 16-bit integers, found {found}")
    return values.astype(np.float32) * np.float32(unit)
