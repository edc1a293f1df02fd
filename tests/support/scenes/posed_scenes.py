"""Scenes with known cameras, and the predictions of a matcher that knows the truth."""

from pathlib import Path

import numpy as np
from PIL import Image

from gluestick.geometry.projection import project_points
from gluestick.images.rotation import turn_points, turned_size
from gluestick.types import Camera, Pose

SIZE = (160, 120)
CAMERA = Camera(K=np.array([[150.0, 0, 76], [0, 140.0, 63], [0, 0, 1]]))


def rotation(axis: int, degrees: float) -> np.ndarray:
    """Return a rotation about the x, y or z axis."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    first, second = [index for index in range(3) if index != axis]
    R = np.eye(3)
    R[first, first] = R[second, second] = cosine
    R[first, second], R[second, first] = -sine, sine
    return R


STILL = Pose(R=np.eye(3), t=np.zeros(3))
POSE = Pose(R=rotation(1, 8) @ rotation(2, 3), t=np.array([-0.7, 0.1, 0.2]))


def points_in_space(number: int, *, seed: int = 0) -> np.ndarray:
    """Return points [N, 3] that both cameras see, in the frame of camera 0."""
    rng = np.random.default_rng(seed)
    rays = rng.uniform((-0.3, -0.3, 1), (0.4, 0.3, 1), size=(number, 3))
    return rays * rng.uniform(3, 6, size=(number, 1))


def projections(points3d: np.ndarray, pose: Pose = POSE) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions [..., 2] px in both stored images."""
    return project_points(points3d, STILL, CAMERA)[0], project_points(points3d, pose, CAMERA)[0]


def prediction(
    points: tuple[np.ndarray, np.ndarray],
    lines: tuple[np.ndarray, np.ndarray] | None = None,
    *,
    turns: tuple[int, int] = (0, 0),
) -> dict[str, np.ndarray]:
    """Return a stored prediction that matches row by row.

    Args:
        points: [N, 2] px of the stored images.
        lines: [L, 2, 2] px of the stored images.
        turns: How far the images were turned before they were matched.
    """
    lines = lines or (np.zeros((0, 2, 2)), np.zeros((0, 2, 2)))
    arrays: dict[str, np.ndarray] = {}
    for side, turn in enumerate(turns):
        for name, values in (("keypoints", points[side]), ("lines", lines[side])):
            turned = turn_points(values, image_size=SIZE, angle=turn)
            arrays[f"{name}{side}"] = turned.astype(np.float32)
        arrays[f"image_size{side}"] = np.array(turned_size(SIZE, angle=turn))
    for prefix, number in (("", len(points[0])), ("line_", len(lines[0]))):
        for name in ("matches0", "matches1"):
            arrays[f"{prefix}{name}"] = np.arange(number)
        arrays[f"candidate_{prefix}matches0"] = np.arange(number)
        arrays[f"{prefix}matching_scores0"] = np.linspace(1, 0.5, number, dtype=np.float32)
    return arrays


def pair_line(
    name0: str, name1: str, *, quarters: tuple[int, int] = (0, 0), pose: Pose = POSE
) -> str:
    """Return the pair's line of a list."""
    T = np.vstack([np.column_stack([pose.R, pose.t]), [0, 0, 0, 1]])
    values = [*quarters, *CAMERA.K.ravel(), *CAMERA.K.ravel(), *T.ravel()]
    return " ".join([name0, name1, *(repr(float(value)) for value in values)])


def save_image(path: Path, *, orientation: int = 1, seed: int = 0) -> None:
    """Write a stored image of noise."""
    pixels = np.random.default_rng(seed).integers(0, 255, (*SIZE[::-1], 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, exif=exif)
