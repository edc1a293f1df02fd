"""The page ``report.html`` of a reconstruction."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gluestick.geometry.points import to_homogeneous
from gluestick.reconstruction.lines.values import LineMap
from gluestick.reconstruction.outcome import Record
from gluestick.visualization.pages.reconstruction_report import (
    ReportScene,
    write_reconstruction_report,
)


def write_report(
    path: Path, models: Sequence[Any], lines: LineMap | None, record: Record, *, title: str
) -> None:
    """Write the page, also where there is no model.

    Args:
        path: The file.
        models: The models, each a ``pycolmap.Reconstruction``; the first one is shown.
        lines: Its line map, or None.
        record: What ``reconstruction.json`` holds.
        title: What stands at the top.

    Raises:
        OSError: If the file cannot be written.
    """
    scene = model_scene(models[0], lines) if models else ReportScene.empty()
    errors = None if lines is None else lines.errors
    write_reconstruction_report(path, scene, record, line_errors=errors, title=title)


def model_scene(model: Any, lines: LineMap | None) -> ReportScene:
    """Return what a report shows of a model, a ``pycolmap.Reconstruction``, and its lines."""
    images = sorted(
        (image for image in model.images.values() if image.has_pose), key=lambda each: each.name
    )
    points = list(model.points3D.values())
    errors = np.array([point.error for point in points], np.float64)
    return ReportScene(
        camera_names=tuple(image.name for image in images),
        camera_centres=_rows([image.projection_center() for image in images]),
        camera_corners=np.array(
            [_corners(image, model.cameras[image.camera_id]) for image in images]
        ).reshape(-1, 4, 3),
        points=_rows([point.xyz for point in points]),
        point_colors=_rows([point.color for point in points]),
        point_errors=np.where(errors >= 0, errors, np.nan),
        lines=np.zeros((0, 2, 3)) if lines is None else lines.segments,
    )


def _corners(image: Any, camera: Any) -> np.ndarray:
    """Return where the corners of a photograph are at unit depth, without distortion, [4, 3]."""
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * [camera.width, camera.height]
    rays = to_homogeneous(corners.astype(np.float64)) @ np.linalg.inv(camera.calibration_matrix()).T
    pose = image.cam_from_world()
    return np.asarray((rays - pose.translation) @ pose.rotation.matrix())


def _rows(vectors: Sequence[Any]) -> np.ndarray:
    return np.array(vectors, np.float64).reshape(-1, 3)
