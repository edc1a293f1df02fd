"""MegaDepth (arXiv 1804.00607) as it is trained on: ``scene_info/SCENE.npz`` for each scene.

Each holds, for N images, ``image_paths`` and ``depth_paths`` [N], relative to the folder of
``scene_info/`` and empty where there is none, ``intrinsics`` [N, 3, 3] px with (0, 0) at the
image's corner, ``poses`` [N, 4, 4], X_camera = T X_world, and ``overlap_matrix`` [N, N], the
shares of the points of one image that the other sees. The files that go around hold Python
objects, which could run code and are never loaded; ``docs/your_data.md`` shows how to save them
as plain arrays, and what to write instead of them.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gluestick.datasets.posed.depth_views import (
    DepthView,
    DepthViewPair,
    depth_reader,
    relative_pose,
)
from gluestick.datasets.posed.posed_pairs import nearest_rotation
from gluestick.geometry.pixels import corner_to_centre
from gluestick.types import Camera, Pose

_SHAPES = {
    "image_paths": (),
    "depth_paths": (),
    "intrinsics": (3, 3),
    "poses": (4, 4),
}


def is_megadepth(folder: Path) -> bool:
    """Tell whether a folder has ``scene_info/``."""
    return (folder / "scene_info").is_dir()


def scene_files(folder: Path) -> list[Path]:
    """Return the files of the scenes in alphabetical order."""
    return sorted((folder / "scene_info").glob("*.npz"))


@dataclass(frozen=True, kw_only=True)
class MegaDepthScene:
    """A scene.

    Attributes:
        folder: What paths are relative to.
        name: Its name.
        image_paths: N paths, "" where there is none.
        depth_paths: N paths.
        intrinsics: [N, 3, 3] px, with (0, 0) at the image's corner.
        poses: [N, 4, 4], X_camera = T X_world.
        overlap_matrix: [N, N].
    """

    folder: Path
    name: str
    image_paths: tuple[str, ...]
    depth_paths: tuple[str, ...]
    intrinsics: np.ndarray
    poses: np.ndarray
    overlap_matrix: np.ndarray

    @classmethod
    def read(cls, path: Path, *, folder: Path) -> "MegaDepthScene":
        """Read a scene.

        Args:
            path: The npz file.
            folder: What its paths are relative to.

        Raises:
            ValueError: If the file is damaged, lacks an array, or holds Python objects.
        """
        names = (*_SHAPES, "overlap_matrix")
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in names}
        except ValueError as error:
            raise ValueError(
                f"{path} holds Python objects, which could run code and are not loaded: save "
                "plain arrays, or list pairs in overlaps.txt (see docs/your_data.md)"
            ) from error
        except Exception as error:  # zipfile and zlib have errors of their own
            raise ValueError(f"{path} needs the arrays {', '.join(names)}: {error!r}") from error
        number = len(arrays["image_paths"])
        shapes = {name: (number, *shape) for name, shape in _SHAPES.items()}
        shapes["overlap_matrix"] = (number, number)
        for name, shape in shapes.items():
            if arrays[name].shape != shape:
                raise ValueError(
                    f"{path} needs {name} {list(shape)}, found {list(arrays[name].shape)}"
                )
        return cls(
            folder=folder,
            name=path.stem,
            image_paths=tuple(map(str, arrays["image_paths"])),
            depth_paths=tuple(map(str, arrays["depth_paths"])),
            intrinsics=arrays["intrinsics"].astype(np.float64),
            poses=arrays["poses"].astype(np.float64),
            overlap_matrix=arrays["overlap_matrix"],
        )

    def overlapping_pairs(self, least: float, most: float) -> np.ndarray:
        """Return the pairs [P, 2] of different images with depth whose overlap is in a range."""
        known = np.array(
            [bool(a and b) for a, b in zip(self.image_paths, self.depth_paths, strict=True)]
        )
        within = (self.overlap_matrix >= least) & (self.overlap_matrix <= most)
        within &= known[:, None] & known & ~np.eye(len(known), dtype=bool)
        return np.argwhere(within)

    def pair(self, index0: int, index1: int) -> DepthViewPair:
        """Return two of the images."""
        pose0, pose1 = self._pose(index0), self._pose(index1)
        return DepthViewPair(
            name=f"{self.image_paths[index0]}|{self.image_paths[index1]}",
            scene=self.name,
            view0=self._view(index0),
            view1=self._view(index1),
            pose_0to1=relative_pose(pose0, pose1),
        )

    def _pose(self, index: int) -> Pose:
        T = self.poses[index]
        return Pose(R=nearest_rotation(T[:3, :3]), t=T[:3, 3])

    def _view(self, index: int) -> DepthView:
        K = self.intrinsics[index].copy()
        K[:2, 2] = corner_to_centre(K[:2, 2])
        return DepthView(
            image=self.folder / self.image_paths[index],
            read_depth=depth_reader(self.folder / self.depth_paths[index]),
            camera=Camera(K=K),
        )
