"""Checking and converting what the estimators are given."""

import operator
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from torch import Tensor

from gluestick.checks import check_shapes
from gluestick.types import Camera

ArrayLike = np.ndarray | Tensor
"""A numpy array or a torch tensor, on any device and with or without gradients."""


def as_arrays(owner: str, values: dict[str, Any], specs: dict[str, str]) -> list[np.ndarray]:
    """Convert named values to float64 arrays and check them.

    Args:
        owner: The function, for error messages.
        values: Arrays, tensors or nested sequences of numbers, by name.
        specs: The shape of each, as for :func:`~gluestick.checks.check_shapes`.

    Returns:
        The arrays in the order of ``values``.

    Raises:
        ValueError: If a shape does not fit, or a value is NaN or infinite.
    """
    arrays = {name: _as_array(value) for name, value in values.items()}
    check_shapes(owner, arrays, specs)
    for name, array in arrays.items():
        bad = ~np.isfinite(array.reshape(len(array), array[:1].size)).all(1)
        if bad.any():
            raise ValueError(
                f"{owner}.{name} needs finite coordinates, found NaN or infinity in {bad.sum()} "
                f"of {len(array)} rows: remove these matches"
            )
    return list(arrays.values())


def check_options(
    owner: str, *, max_error: float, confidence: float, max_iterations: int, seed: int
) -> None:
    """Check the options that all estimators share.

    Raises:
        ValueError: If the error or the iterations are not positive and finite, the confidence
            is not strictly between 0 and 1, or the seed is not a whole number from 0 on.
    """
    for name, value in (("max_error", max_error), ("max_iterations", max_iterations)):
        if not 0 < value < np.inf:
            raise ValueError(f"{owner} needs a positive {name}, found {value}")
    if not 0 < confidence < 1:
        raise ValueError(f"{owner} needs a confidence between 0 and 1, found {confidence}")
    if not hasattr(seed, "__index__") or operator.index(seed) < 0:
        raise ValueError(f"{owner} needs a whole number from 0 on as seed, found {seed}")


def check_choice(owner: str, name: str, value: str, choices: Sequence[str]) -> None:
    """Check an option that is one of several names.

    Raises:
        ValueError: If it is none of them.
    """
    if value not in choices:
        raise ValueError(f"{owner} needs a {name} among {', '.join(choices)}, found {value!r}")


def poselib_camera(owner: str, camera: Camera) -> dict[str, Any]:
    """Describe a camera to PoseLib, which takes pixels in whatever convention K is in.

    Args:
        owner: The function, for error messages.
        camera: A camera without skew.

    Returns:
        PoseLib's dictionary of a PINHOLE camera.

    Raises:
        ValueError: If K is not of the form [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] with finite
            entries and positive focal lengths.
    """
    K = _as_array(camera.K)
    expected = np.array([[K[0, 0], 0, K[0, 2]], [0, K[1, 1], K[1, 2]], [0, 0, 1]])
    if not np.isfinite(K).all() or (expected != K).any() or min(K[0, 0], K[1, 1]) <= 0:
        raise ValueError(
            f"{owner} needs a K of the form [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] with positive "
            f"focal lengths in px, found {K.tolist()}"
        )
    return {"model": "PINHOLE", "params": [K[0, 0], K[1, 1], K[0, 2], K[1, 2]]}


def poselib_options(
    owner: str, *, max_error: float, confidence: float, max_iterations: int, seed: int
) -> dict[str, Any]:
    """Check the shared options and return them as PoseLib's RANSAC options.

    PoseLib applies ``max_epipolar_error`` to pairs of images and to lines, and
    ``max_reproj_error`` to points in space.
    """
    check_options(
        owner, max_error=max_error, confidence=confidence, max_iterations=max_iterations, seed=seed
    )
    return {
        "max_reproj_error": float(max_error),
        "max_epipolar_error": float(max_error),
        "success_prob": float(confidence),
        "max_iterations": int(max_iterations),
        "min_iterations": min(1000, int(max_iterations)),
        "seed": int(seed),
    }


def magsac_options(
    *, max_error: float, confidence: float, max_iterations: int, seed: int
) -> cv2.UsacParams:
    """Return the shared options for OpenCV's MAGSAC++ (Barath et al., CVPR 2020)."""
    options = cv2.UsacParams()
    options.threshold = float(max_error)
    options.confidence = float(confidence)
    options.maxIterations = int(max_iterations)
    options.randomGeneratorState = int(seed) % 2**31
    options.score = cv2.SCORE_METHOD_MAGSAC
    options.loMethod = cv2.LOCAL_OPTIM_SIGMA
    return options


def _as_array(value: Any) -> np.ndarray:
    if isinstance(value, Tensor):
        value = value.detach().cpu().double().numpy()
    return np.asarray(value, dtype=np.float64)
