"""Relative poses by OpenCV, as many publications estimate them, for comparison."""

import cv2
import numpy as np

from gluestick.geometry.distortion import undistort_points
from gluestick.types import Camera, Pose

_CONFIDENCE = 0.99999
_MIN_MATCHES = 5
_MAX_DISTANCE = 1e9
"""How far away points may be, in units of the baseline, to count as in front of the cameras."""


def opencv_relative_pose(
    points0: np.ndarray,
    points1: np.ndarray,
    camera0: Camera,
    camera1: Camera,
    *,
    max_error: float,
) -> Pose | None:
    """Estimate a relative pose with OpenCV's five-point RANSAC.

    Points are undistorted and divided by their calibration, and the threshold by the mean focal
    length of both images, so that ``max_error`` means pixels. OpenCV's generator starts from the
    same seed in each call.

    Args:
        points0: [S, 2] px in image 0.
        points1: [S, 2] px in image 1, in the same order.
        camera0: The calibration of image 0.
        camera1: The calibration of image 1.
        max_error: The largest distance of an inlier from its epipolar line, px.

    Returns:
        X1 = R X0 + t with t of unit length, or None if there are fewer than five matches or
        nothing was found.

    Raises:
        ValueError: If the threshold is not positive.
    """
    if not max_error > 0:
        raise ValueError(f"max_error needs to be positive, found {max_error}")
    if len(points0) < _MIN_MATCHES:
        return None
    rays0, rays1 = normalized(points0, camera0), normalized(points1, camera1)
    focal_length = np.mean([K[i, i] for K in (camera0.K, camera1.K) for i in (0, 1)])
    cv2.setRNGSeed(0)
    matrices, inliers = cv2.findEssentialMat(
        rays0,
        rays1,
        np.eye(3),
        method=cv2.RANSAC,
        prob=_CONFIDENCE,
        threshold=max_error / float(focal_length),
    )
    if matrices is None or matrices.shape[0] % 3:
        return None
    best, most = None, 0
    for E in np.split(matrices, matrices.shape[0] // 3):  # five points leave up to ten
        count, R, t, *_ = cv2.recoverPose(
            E, rays0, rays1, np.eye(3), distanceThresh=_MAX_DISTANCE, mask=inliers.copy()
        )
        if count > most:
            best, most = Pose(R=R, t=t[:, 0]), count
    return best


def normalized(points: np.ndarray, camera: Camera) -> np.ndarray:
    """Undistort positions and divide them by a calibration.

    Args:
        points: [S, 2] px of the image.
        camera: The calibration, without skew.

    Returns:
        [S, 2] float64, (x/z, y/z) of the rays.
    """
    K = camera.K
    undistorted = undistort_points(points.astype(np.float64), camera)
    return (undistorted - K[:2, 2]) / (K[0, 0], K[1, 1])
