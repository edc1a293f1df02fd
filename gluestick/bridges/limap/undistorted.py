"""COLMAP models without distortion: LIMAP takes the cameras of lines for pinholes."""

from copy import deepcopy
from typing import Any

import numpy as np


def without_distortion(model: Any) -> Any:
    """Return a copy of a model in which pinhole cameras see the same.

    Args:
        model: A ``pycolmap.Reconstruction``, which stays as it is.

    Returns:
        The copy. Cameras keep their focal lengths and principal points.
    """
    pinholes = deepcopy(model)
    for number, camera in model.cameras.items():
        pinhole = pinholes.cameras[number]
        pinhole.model = type(pinhole.model).PINHOLE
        pinhole.params = [
            camera.focal_length_x,
            camera.focal_length_y,
            camera.principal_point_x,
            camera.principal_point_y,
        ]
    for number, image in model.images.items():
        if len(image.points2D) == 0:
            continue
        seen = np.array([point.xy for point in image.points2D])
        straight = undistorted_points(seen, model.cameras[image.camera_id])
        for point, position in zip(pinholes.images[number].points2D, straight, strict=True):
            point.xy = position
    return pinholes


def undistorted_points(points: np.ndarray, camera: Any) -> np.ndarray:
    """Return where a pinhole with the focal lengths of a camera sees what the camera sees.

    Args:
        points: [..., 2] px, (0, 0) at the corner of the image.
        camera: A ``pycolmap.Camera``.

    Returns:
        [..., 2] px. Points that the lens cannot have seen, where its distortion has no inverse,
        stay where they are.
    """
    flat = np.asarray(points, np.float64).reshape(-1, 2)
    if len(flat) == 0:
        return flat.reshape(points.shape)
    rays = np.asarray(camera.cam_from_img(flat), np.float64)
    focal_lengths = np.array([camera.focal_length_x, camera.focal_length_y])
    centre = np.array([camera.principal_point_x, camera.principal_point_y])
    moved = np.where(np.isfinite(rays), rays * focal_lengths + centre, flat)
    return moved.reshape(points.shape)
