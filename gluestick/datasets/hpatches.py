"""Images of planes with known homographies, in the layout of HPatches.

A folder per scene, ``v_*`` where the viewpoint changes and ``i_*`` where the light does, with
images ``1.*`` to ``6.*`` and files ``H_1_k`` with the homography from image 1 to image k.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gluestick.datasets.photographs import SUFFIXES

CHANGES = {"v_": "viewpoint", "i_": "illumination"}
"""What changes within a scene, by the beginning of its name."""

_FIRST = "1"


@dataclass(frozen=True, kw_only=True)
class ScenePair:
    """Image 1 of a scene and another one.

    Attributes:
        scene: The folder of the scene.
        other: The name of the other image, such as ``2``.
        H_0to1: [3, 3] float64, from image 1 to the other, px of the images as they are stored.
    """

    scene: Path
    other: str
    H_0to1: np.ndarray

    @property
    def name(self) -> str:
        """The scene and the other image, such as ``v_wall/2``."""
        return f"{self.scene.name}/{self.other}"

    @property
    def change(self) -> str:
        """``viewpoint`` or ``illumination``."""
        return CHANGES[self.scene.name[:2]]

    def files(self) -> tuple[Path, Path]:
        """Return the files of image 1 and of the other image.

        Raises:
            ValueError: If one is missing.
        """
        return _find_image(self.scene, _FIRST), _find_image(self.scene, self.other)


def list_scene_pairs(folder: Path) -> list[ScenePair]:
    """Return image 1 with each other image of each scene.

    Args:
        folder: The folder of the scenes.

    Returns:
        The pairs in alphabetical order; no image is read.

    Raises:
        ValueError: If there is no folder, no scene in it, or a homography cannot be read.
    """
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")
    scenes = [path for path in sorted(folder.iterdir()) if path.name[:2] in CHANGES]
    files = [(scene, path) for scene in scenes for path in sorted(scene.glob("H_1_*"))]
    if not files:
        raise ValueError(
            f"{folder} needs scenes v_* or i_* with images 1.*, 2.*, ... and homographies H_1_2, "
            "..., found none"
        )
    return [
        ScenePair(scene=scene, other=path.name[4:], H_0to1=_read_homography(path))
        for scene, path in files
    ]


def _read_homography(path: Path) -> np.ndarray:
    try:
        return np.loadtxt(path, dtype=np.float64).reshape(3, 3)
    except ValueError as error:
        raise ValueError(f"{path} needs 3 x 3 numbers: {error}") from error


def _find_image(scene: Path, stem: str) -> Path:
    found = (path for path in sorted(scene.glob(f"{stem}.*")) if path.suffix.lower() in SUFFIXES)
    path = next(found, None)
    if path is None:
        raise ValueError(f"{scene} needs an image {stem}.*, found none")
    return path
