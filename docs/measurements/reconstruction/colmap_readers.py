"""Reading COLMAP's text files: our reader against pycolmap's, on a model of ETH3D's size.

Usage: ``pip install pycolmap`` and ``python docs/measurements/reconstruction/colmap_readers.py``.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pycolmap

from gluestick.datasets.posed.formats.colmap_text import read_cameras_text, read_images_text

Read = Callable[[Path], dict[str, tuple[np.ndarray, frozenset[int]]]]
"""Reads the rotation and the observed points of each image by name."""


def read_with_ours(folder: Path) -> dict[str, tuple[np.ndarray, frozenset[int]]]:
    """Read a model."""
    read_cameras_text(folder / "cameras.txt")
    images = read_images_text(folder / "images.txt").values()
    return {image.name: (image.cam_from_world.R, image.point3d_ids) for image in images}


def read_with_pycolmap(folder: Path) -> dict[str, tuple[np.ndarray, frozenset[int]]]:
    """Read a model."""
    model = pycolmap.Reconstruction()
    model.read_text(str(folder))
    return {
        image.name: (
            image.cam_from_world().rotation.matrix(),
            frozenset(point.point3D_id for point in image.points2D if point.has_point3D()),
        )
        for image in model.images.values()
    }


def write_model(folder: Path, *, num_images: int, num_observations: int, num_points: int) -> None:
    """Write a model of one camera with random poses and observations, 70% of them of points."""
    rng = np.random.default_rng(0)
    (folder / "cameras.txt").write_text("0 PINHOLE 6211 4137 3410.3 3409.9 3121.3 2067.1\n")
    lines: list[str] = []
    tracks: dict[int, list[str]] = {}
    for index in range(num_images):
        quaternion, position = rng.normal(size=4), rng.normal(size=3)
        quaternion /= np.linalg.norm(quaternion)
        motion = " ".join(map(str, [*quaternion, *position]))
        lines.append(f"{index} {motion} 0 images/{index}.JPG")
        points = rng.choice(num_points, num_observations, replace=False)
        points[rng.random(num_observations) < 0.3] = -1
        xy = rng.uniform(0, 4000, size=(num_observations, 2))
        observed = zip(xy.tolist(), points.tolist(), strict=True)
        lines.append(" ".join(f"{x:.3f} {y:.3f} {point}" for (x, y), point in observed))
        for slot in np.flatnonzero(points >= 0).tolist():
            tracks.setdefault(int(points[slot]), []).append(f"{index} {slot}")
    (folder / "images.txt").write_text("\n".join(lines) + "\n")
    points3d = (f"{point} 1 2 3 0 0 0 0.5 {' '.join(track)}" for point, track in tracks.items())
    (folder / "points3D.txt").write_text("\n".join(points3d) + "\n")


def accepts(read: Read, folder: Path, name: str) -> str:
    """Say what becomes of an image with some name."""
    (folder / "cameras.txt").write_text("0 PINHOLE 640 480 500 510 320 240\n")
    (folder / "images.txt").write_text(f"1 1 0 0 0 1 2 3 0 {name}\n\n")
    (found,) = read(folder)
    return f"`{found}`"


def message(read: Read, folder: Path) -> str:
    """Return the error that a damaged file causes."""
    (folder / "images.txt").write_text("1 1 0 0 0 1 2 3 0\n\n")
    try:
        return f"read as {read(folder)}"
    except ValueError as error:
        return str(error).replace(str(folder), "DIR").strip()


def main() -> None:
    """Print whether both agree, their times, and what becomes of unusual files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=76)
    parser.add_argument("--observations", type=int, default=8000, help="In each image.")
    arguments = parser.parse_args()
    readers: tuple[Read, Read] = (read_with_ours, read_with_pycolmap)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_model(
            folder,
            num_images=arguments.images,
            num_observations=arguments.observations,
            num_points=60000,
        )
        models, seconds = [], []
        for read in readers:
            start = time.process_time()
            models.append(read(folder))
            seconds.append(time.process_time() - start)
        ours, theirs = models
        same = all(ours[name][1] == theirs[name][1] for name in theirs) and len(ours) == len(theirs)
        largest = max(float(abs(ours[name][0] - theirs[name][0]).max()) for name in theirs)
        print(f"the same observations: {same}; rotations differ by {largest:.0e} at most")
        print(f"seconds: ours {seconds[0]:.2f}, pycolmap {seconds[1]:.2f}")
        (folder / "points3D.txt").write_text("")
        for title, show in (
            ("an image named `a b.jpg`", lambda read: accepts(read, folder, "a b.jpg")),
            ("an image without a name", lambda read: message(read, folder)),
        ):
            print(f"{title}: ours {show(readers[0])}, pycolmap {show(readers[1])}")


if __name__ == "__main__":
    main()
