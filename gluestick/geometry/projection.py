"""Projection of the world into images."""

import numpy as np

from gluestick.geometry.distortion import distort_points
from gluestick.types import Camera, Pose


def project_points(
    points3d: np.ndarray, cam_from_world: Pose, camera: Camera
) -> tuple[np.ndarray, np.ndarray]:
    """Project points into a camera.

    Args:
        points3d: [..., 3] in the world.
        cam_from_world: X_camera = R X_world + t.
        camera: The calibration.

    Returns:
        The positions [..., 2] px and the depths [...] along the optical axis; positions are
        meaningless where the depth is not positive.
    """
    in_camera = points3d @ cam_from_world.R.T + cam_from_world.t
    projected = in_camera @ np.asarray(camera.K).T
    with np.errstate(divide="ignore", invalid="ignore"):
        positions = projected[..., :2] / projected[..., 2:]
        return distort_points(positions, camera), in_camera[..., 2]
