"""Where the distortion of a lens moves points, and back.

The model is that of OpenCV, Brown's radial and tangential one ("Close-Range Camera Calibration",
Photogrammetric Engineering 1971): with r^2 = x^2 + y^2 for x and y divided by K,
x' = x (1 + k1 r^2 + k2 r^4 + k3 r^6) + 2 p1 x y + p2 (r^2 + 2 x^2), and y' likewise.
"""

import numpy as np

from gluestick.geometry.points import to_homogeneous
from gluestick.types import Camera

_STEPS = 50
_CLOSE = 1e-12


def distort_points(points: np.ndarray, camera: Camera) -> np.ndarray:
    """Move points from the image of a pinhole camera to that of the lens.

    Args:
        points: [..., 2] px, as the camera would see them without distortion.
        camera: The calibration.

    Returns:
        [..., 2] px.
    """
    if not camera.is_distorted:
        return points
    return _to_pixels(_distorted(_normalized(points, camera), camera.distortion)[0], camera)


def undistort_points(points: np.ndarray, camera: Camera) -> np.ndarray:
    """Move points from the image of a lens to that of a pinhole camera with the same K.

    Newton's iterations on the model; far outside of the image, where a lens maps several points
    to one, the result is what they reach.

    Args:
        points: [..., 2] px of the image.
        camera: The calibration.

    Returns:
        [..., 2] px, as the camera would see them without distortion.
    """
    if not camera.is_distorted:
        return points
    wanted = _normalized(points, camera)
    found = wanted.copy()
    for _ in range(_STEPS):
        distorted, jacobian = _distorted(found, camera.distortion)
        step = np.linalg.solve(jacobian, (wanted - distorted)[..., None])[..., 0]
        length = np.linalg.norm(step, axis=-1, keepdims=True)
        found = found + step * np.minimum(1, 0.5 / np.maximum(length, _CLOSE))
        if not length.size or length.max() < _CLOSE:
            break
    return _to_pixels(found, camera)


def _normalized(points: np.ndarray, camera: Camera) -> np.ndarray:
    points = np.asarray(points, dtype=np.float64)
    return (to_homogeneous(points) @ np.linalg.inv(camera.K).T)[..., :2]


def _to_pixels(points: np.ndarray, camera: Camera) -> np.ndarray:
    return (to_homogeneous(points) @ np.asarray(camera.K).T)[..., :2]


def _distorted(points: np.ndarray, distortion: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return distorted points [..., 2] and the derivatives [..., 2, 2], held away from singular."""
    k1, k2, p1, p2, k3 = distortion
    x, y = points[..., 0], points[..., 1]
    r2 = x * x + y * y
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    slope = 2 * (k1 + r2 * (2 * k2 + r2 * 3 * k3))  # of radial along x, divided by x
    moved = np.stack(
        [
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
            y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
        ],
        axis=-1,
    )
    across = x * y * slope + 2 * p1 * x + 2 * p2 * y
    jacobian = np.stack(
        [
            np.stack([radial + x * x * slope + 2 * p1 * y + 6 * p2 * x, across], axis=-1),
            np.stack([across, radial + y * y * slope + 6 * p1 * y + 2 * p2 * x], axis=-1),
        ],
        axis=-2,
    )
    singular = np.abs(np.linalg.det(jacobian)) < 1e-9
    jacobian[singular] = np.eye(2)
    return moved, jacobian
