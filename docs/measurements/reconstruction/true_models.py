"""COLMAP models of surveyed scenes, from their ``cameras.json``.

Usage: ``python docs/measurements/reconstruction/true_models.py SCENE FOLDER`` writes into FOLDER
the model without points that ``gluestick reconstruct SCENE/images --model FOLDER`` takes.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pycolmap


def pinhole(camera: dict) -> pycolmap.Camera:
    """Return COLMAP's camera of an entry of ``cameras.json``."""
    K = np.array(camera["K"])
    return pycolmap.Camera(
        model="PINHOLE",
        width=camera["width"],
        height=camera["height"],
        params=[K[0, 0], K[1, 1], K[0, 2] + 0.5, K[1, 2] + 0.5],
    )


def true_pose(camera: dict) -> pycolmap.Rigid3d:
    """Return the pose of an entry of ``cameras.json``."""
    U, _, V = np.linalg.svd(np.array(camera["R_cam_from_world"]))
    return pycolmap.Rigid3d(pycolmap.Rotation3d(U @ V), np.array(camera["t_cam_from_world"]))


def words(*values: object) -> str:
    """Return values with blanks between them."""
    return " ".join(map(str, values))


def camera_words(camera: pycolmap.Camera) -> str:
    """Return a camera as hloc's lists and COLMAP's text files have it."""
    return words("PINHOLE", camera.width, camera.height, *camera.params)


def write_true_model(scene: Path, folder: Path, *, names: list[str] | None = None) -> Path:
    """Write a COLMAP model of a scene's images, as text, with true poses and without points.

    Args:
        scene: The folder of ``cameras.json``.
        folder: Where the model is written.
        names: Which images; all if left out.

    Returns:
        ``folder``.
    """
    cameras = json.loads((scene / "cameras.json").read_text())
    folder.mkdir(parents=True, exist_ok=True)
    lines: dict[str, list[str]] = {"cameras": [], "images": [], "points3D": []}
    for number, name in enumerate(names or sorted(cameras), start=1):
        camera, pose = pinhole(cameras[name]), true_pose(cameras[name])
        x, y, z, w = pose.rotation.quat
        lines["cameras"].append(f"{number} {camera_words(camera)}")
        lines["images"].append(words(number, w, x, y, z, *pose.translation, number, name))
        lines["images"].append("")
    for kind, content in lines.items():
        (folder / f"{kind}.txt").write_text("".join(f"{line}\n" for line in content))
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scene", type=Path)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    write_true_model(given.scene, given.folder)
