"""A COLMAP model in text of three cameras that see the same points."""

from pathlib import Path

import numpy as np
from posed_scenes import CAMERA, POSE, SIZE, STILL, points_in_space, save_image

from gluestick.geometry.projection import project_points
from gluestick.types import Pose

POSES = {
    "query.png": POSE,
    "near.png": STILL,
    "far.png": Pose(R=np.eye(3), t=np.array([-1.0, 0.2, 0.1])),
}
POINTS = points_in_space(40)
LINES = points_in_space(24, seed=1).reshape(12, 2, 3)


def quaternion(R: np.ndarray) -> np.ndarray:
    """Return (w, x, y, z) of a rotation by less than 180 degrees."""
    skew = R - R.T
    values = np.array([1 + np.trace(R), skew[2, 1], skew[0, 2], skew[1, 0]])
    return values / np.linalg.norm(values)


def pixels(name: str, points3d: np.ndarray) -> np.ndarray:
    """Return where an image sees points, px."""
    return project_points(points3d, POSES[name], CAMERA)[0]


def write_model(folder: Path) -> Path:
    """Write images, the model in ``sparse/0`` and ``lines3d.npz``.

    The query and near.png see all points, far.png the first 30.
    """
    model = folder / "sparse" / "0"
    model.mkdir(parents=True)
    K = CAMERA.K
    (model / "cameras.txt").write_text(
        f"1 PINHOLE {SIZE[0]} {SIZE[1]} {K[0, 0]} {K[1, 1]} {K[0, 2] + 0.5} {K[1, 2] + 0.5}\n"
    )
    seen_by = {"query.png": 40, "near.png": 40, "far.png": 30}
    lines = []
    for index, (name, pose) in enumerate(POSES.items(), start=1):
        save_image(folder / "images" / name, seed=index)
        motion = " ".join(str(float(value)) for value in [*quaternion(pose.R), *pose.t])
        lines.append(f"{index} {motion} 1 {name}")
        observed = pixels(name, POINTS[: seen_by[name]]) + 0.5
        lines.append(" ".join(f"{x} {y} {number}" for number, (x, y) in enumerate(observed, 1)))
    (model / "images.txt").write_text("\n".join(lines) + "\n")
    points = []
    for number, point in enumerate(POINTS, start=1):
        images = [
            f"{index} {number - 1}"
            for index, name in enumerate(POSES, start=1)
            if number <= seen_by[name]
        ]
        position = " ".join(str(float(value)) for value in point)
        points.append(f"{number} {position} 0 0 0 0.1 {' '.join(images)}")
    (model / "points3D.txt").write_text("\n".join(points) + "\n")
    np.savez(
        folder / "lines3d.npz",
        lines3d=LINES,
        image_names=np.array(["near.png"] * len(LINES)),
        line_indices=np.arange(len(LINES)),
        segments=pixels("near.png", LINES),
    )
    return folder
