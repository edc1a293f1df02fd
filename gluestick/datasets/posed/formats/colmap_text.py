"""COLMAP's text files of cameras and images."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gluestick.types import Camera, Pose


@dataclass(frozen=True, kw_only=True)
class ColmapCamera:
    """A camera as COLMAP describes it.

    Attributes:
        model: The name of the camera model, such as ``PINHOLE``.
        image_size: (width, height) px.
        params: The model's parameters, with (0, 0) at the image's corner.
    """

    model: str
    image_size: tuple[int, int]
    params: np.ndarray


@dataclass(frozen=True, kw_only=True)
class ColmapImage:
    """A posed image.

    Attributes:
        name: Its path below the image folder.
        camera_id: The camera.
        cam_from_world: X_camera = R X_world + t.
        point3d_ids: The points in space that it observes.
    """

    name: str
    camera_id: int
    cam_from_world: Pose
    point3d_ids: frozenset[int]


def read_cameras_text(path: Path) -> dict[int, ColmapCamera]:
    """Read ``cameras.txt``.

    Returns:
        The cameras by number.

    Raises:
        ValueError: If the file is missing or damaged.
    """
    cameras = {}
    for number, line in _lines(path):
        fields = line.split()
        if not fields:
            continue
        try:
            camera = ColmapCamera(
                model=fields[1],
                image_size=(int(fields[2]), int(fields[3])),
                params=np.array([float(field) for field in fields[4:]]),
            )
            cameras[int(fields[0])] = camera
        except (ValueError, IndexError) as error:
            raise ValueError(
                f"{path}, line {number}: needs ID MODEL WIDTH HEIGHT PARAMS, found {line!r}"
            ) from error
    return cameras


def read_images_text(path: Path) -> dict[str, ColmapImage]:
    """Read ``images.txt``, which has two lines for each image.

    Returns:
        The images by name.

    Raises:
        ValueError: If the file is missing or damaged.
    """
    lines = _lines(path)
    images = {}
    for (number, pose), (_, points) in zip(lines[::2], [*lines[1::2], (0, "")], strict=False):
        if not pose.strip():
            continue
        try:
            fields = pose.split(maxsplit=9)
            motion = np.array(fields[1:8], dtype=np.float64)
            image = ColmapImage(
                name=fields[9],
                camera_id=int(fields[8]),
                cam_from_world=Pose(R=rotation_from_quaternion(motion[:4]), t=motion[4:]),
                point3d_ids=frozenset(int(value) for value in points.split()[2::3]) - {-1},
            )
            images[image.name] = image
        except (ValueError, IndexError) as error:
            raise ValueError(
                f"{path}, line {number}: needs ID QW QX QY QZ TX TY TZ CAMERA_ID NAME, found "
                f"{pose[:80]!r}"
            ) from error
    return images


def rotation_from_quaternion(quaternion: np.ndarray) -> np.ndarray:
    """Return the rotation [3, 3] of a quaternion (w, x, y, z) of any length but 0.

    Raises:
        ValueError: If it has no length.
    """
    length = np.linalg.norm(quaternion)
    if not length > 0:
        raise ValueError("a quaternion needs a positive length")
    w, x, y, z = quaternion / length
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + 2 * w * cross + 2 * cross @ cross


def pinhole_camera(camera: ColmapCamera, *, image_size: tuple[int, int]) -> Camera:
    """Return the calibration of a resized image of a camera without distortion.

    Args:
        camera: Of the model ``PINHOLE`` or ``SIMPLE_PINHOLE``.
        image_size: (width, height) px of the resized image.

    Returns:
        The calibration, with (0, 0) at the centre of the top-left pixel.

    Raises:
        ValueError: If the model is another one.
    """
    if camera.model == "PINHOLE" and len(camera.params) == 4:
        fx, fy, cx, cy = camera.params
    elif camera.model == "SIMPLE_PINHOLE" and len(camera.params) == 3:
        fx, cx, cy = camera.params
        fy = fx
    else:
        raise ValueError(
            f"images without distortion need a PINHOLE camera, found {camera.model} with "
            f"{len(camera.params)} parameters"
        )
    x, y = (new / old for new, old in zip(image_size, camera.image_size, strict=True))
    return Camera(K=np.array([[fx * x, 0, cx * x - 0.5], [0, fy * y, cy * y - 0.5], [0, 0, 1]]))


def _lines(path: Path) -> list[tuple[int, str]]:
    """Return the numbered lines that are no comments; empty ones count."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, UnicodeDecodeError) as error:
        raise ValueError(f"there is no text file {path}") from error
    return [(number, line) for number, line in enumerate(lines, 1) if not line.startswith("#")]
