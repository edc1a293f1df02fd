"""Whole models of COLMAP, text or binary, as pycolmap reads them."""

from pathlib import Path
from typing import Any

import numpy as np

from gluestick.geometry.pixels import centre_to_corner
from gluestick.types import Camera

_FOLDERS = (".", "sparse/0", "sparse", "model")


def import_pycolmap(purpose: str) -> Any:
    """Return the module pycolmap.

    Pillow comes first: where pycolmap's own zlib is loaded before it, writing a PNG aborts the
    process (pycolmap 4.2.1 on Linux).

    Args:
        purpose: What needs it, for the message.

    Raises:
        ImportError: If it is not installed.
    """
    from PIL import Image

    Image.preinit()
    try:
        import pycolmap
    except ImportError as error:
        raise ImportError(
            f"{purpose} needs pycolmap: pip install 'gluestick-matching[sfm]'"
        ) from error
    return pycolmap


def find_colmap_model(folder: Path) -> Path | None:
    """Return the folder of the model in a data folder: itself, sparse/0, sparse or model."""
    for name in _FOLDERS:
        if any((folder / name / f"images.{suffix}").is_file() for suffix in ("bin", "txt")):
            return folder / name
    return None


def read_colmap_model(model: Path) -> Any:
    """Read a model.

    Returns:
        The ``pycolmap.Reconstruction``.

    Raises:
        ValueError: If it is damaged.
        ImportError: If pycolmap is missing.
    """
    pycolmap = import_pycolmap("reading a COLMAP model")
    try:
        return pycolmap.Reconstruction(str(model))
    except Exception as error:
        raise ValueError(f"the COLMAP model in {model} cannot be read: {error}") from error


def pinhole_camera(camera: Any) -> Camera:
    """Return the calibration of a camera of COLMAP without its distortion.

    Args:
        camera: A ``pycolmap.Camera`` of any model.
    """
    K = np.array(camera.calibration_matrix(), dtype=np.float64)
    K[:2, 2] -= 0.5
    return Camera(K=np.array([[K[0, 0], 0, K[0, 2]], [0, K[1, 1], K[1, 2]], [0, 0, 1]]))


def undistort_by(camera: Any, points: np.ndarray) -> np.ndarray:
    """Move points from the image of a camera of COLMAP to that of its pinhole camera.

    Args:
        camera: A ``pycolmap.Camera`` of any model.
        points: [..., 2] px.

    Returns:
        [..., 2] px; NaN where the camera's model has no answer.
    """
    flat = points.reshape(-1, 2).astype(np.float64)
    if len(flat) == 0:
        return points.astype(np.float64)
    K = pinhole_camera(camera).K
    rays = np.asarray(camera.cam_from_img(centre_to_corner(flat)), dtype=np.float64)
    moved: np.ndarray = rays * (K[0, 0], K[1, 1]) + K[:2, 2]
    return moved.reshape(points.shape)
