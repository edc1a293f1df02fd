"""Checking and converting what the estimators are given."""

from typing import Any

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
        values: Arrays, tensors or nested sequences of numbers by name.
        specs: The shape of each, as for :func:`~gluestick.checks.check_shapes`.

    Returns:
        The arrays in the order of ``values``; empty ones get the specified rank.

    Raises:
        ValueError: If a shape does not fit, or a value is NaN or infinite.
    """
    arrays = {name: _as_array(value) for name, value in values.items()}
    check_shapes(owner, arrays, specs)
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            count = int((~np.isfinite(array)).reshape(len(array), -1).any(1).sum())
            raise ValueError(
                f"{owner}.{name} needs finite coordinates, found NaN or infinity in {count} of "
                f"{len(array)} rows: remove these matches"
            )
    return list(arrays.values())


def check_positive(owner: str, **options: float) -> None:
    """Raise ValueError unless every option is a finite number above 0."""
    for name, value in options.items():
        if not 0 < value < np.inf:
            raise ValueError(f"{owner} needs a positive {name}, found {value}")


def check_confidence(owner: str, confidence: float) -> None:
    """Raise ValueError unless the confidence lies strictly between 0 and 1."""
    if not 0 < confidence < 1:
        raise ValueError(f"{owner} needs a confidence between 0 and 1, found {confidence}")


def poselib_camera(owner: str, camera: Camera) -> dict[str, Any]:
    """Describe a camera to PoseLib, which takes pixels in whatever convention K is in.

    Args:
        owner: The function, for error messages.
        camera: A camera without skew.

    Returns:
        PoseLib's dictionary of a PINHOLE camera.

    Raises:
        ValueError: If K is not finite, not upper triangular with last row (0, 0, 1) and
            positive focal lengths, or has a skew.
    """
    K = np.asarray(camera.K, dtype=np.float64)
    expected = np.array([[K[0, 0], 0, K[0, 2]], [0, K[1, 1], K[1, 2]], [0, 0, 1]])
    if not np.isfinite(K).all() or not np.array_equal(K, expected) or min(K[0, 0], K[1, 1]) <= 0:
        raise ValueError(
            f"{owner} needs a K of the form [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] with positive "
            f"focal lengths in px, found {K.tolist()}"
        )
    return {"model": "PINHOLE", "params": [K[0, 0], K[1, 1], K[0, 2], K[1, 2]]}


def _as_array(value: Any) -> np.ndarray:
    if isinstance(value, Tensor):
        value = value.detach().cpu().double().numpy()
    return np.asarray(value, dtype=np.float64)
