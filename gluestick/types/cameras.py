"""Cameras: the calibration matrix and the distortion of the lens."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from torch import Tensor

from gluestick.checks import ShapeError, check_shapes

_NO_DISTORTION = (0.0,) * 5

_COLMAP_MODELS: MappingProxyType[str, tuple[int, Callable[[Sequence[float]], tuple]]] = (
    MappingProxyType(
        {
            "SIMPLE_PINHOLE": (3, lambda p: (p[0], p[0], *p[1:3], ())),
            "PINHOLE": (4, lambda p: (*p[:4], ())),
            "SIMPLE_RADIAL": (4, lambda p: (p[0], p[0], *p[1:3], (p[3],))),
            "RADIAL": (5, lambda p: (p[0], p[0], *p[1:3], (p[3], p[4]))),
            "OPENCV": (8, lambda p: (*p[:4], tuple(p[4:8]))),
        }
    )
)
"""For each of COLMAP's models the number of its parameters, and how they become fx, fy, cx, cy
and OpenCV's coefficients."""


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A pinhole camera, with or without the distortion of a lens.

    Attributes:
        K: [3, 3] float64, the calibration matrix in px.
        distortion: OpenCV's coefficients (k1, k2, p1, p2, k3), of which the last may be left
            out; 0 where there is no distortion. COLMAP's ``SIMPLE_RADIAL`` is (k,) and its
            ``RADIAL`` (k1, k2).
    """

    K: np.ndarray
    distortion: tuple[float, ...] = _NO_DISTORTION

    def __post_init__(self) -> None:
        check_shapes("Camera", {"K": self.K}, {"K": "3 3"})
        given = np.asarray(self.distortion, dtype=np.float64).reshape(-1)
        if len(given) > 5 or not np.isfinite(given).all():
            raise ValueError(
                "Camera.distortion needs up to five finite numbers, OpenCV's k1, k2, p1, p2, k3, "
                f"found {given.tolist()}: undistort images of other lenses first"
            )
        padded = (*given.tolist(), *_NO_DISTORTION)[:5]
        object.__setattr__(self, "distortion", padded)

    @property
    def is_distorted(self) -> bool:
        """Whether a coefficient of the distortion is not 0."""
        return any(self.distortion)

    @classmethod
    def from_colmap(cls, model: str, params: Sequence[float]) -> "Camera":
        """Return the camera that COLMAP describes, whose pixels begin at the corner.

        Args:
            model: SIMPLE_PINHOLE, PINHOLE, SIMPLE_RADIAL, RADIAL or OPENCV.
            params: Its parameters in COLMAP's order.

        Raises:
            ValueError: If the model is another one, or has another number of parameters.
        """
        if model not in _COLMAP_MODELS:
            raise ValueError(
                f"a camera of COLMAP needs one of the models {', '.join(_COLMAP_MODELS)}, found "
                f"{model}: undistort its images with `colmap image_undistorter`"
            )
        count, read = _COLMAP_MODELS[model]
        if len(params) != count:
            raise ValueError(f"{model} needs {count} parameters, found {len(params)}")
        fx, fy, cx, cy, distortion = read([float(value) for value in params])
        K = np.array([[fx, 0, cx - 0.5], [0, fy, cy - 0.5], [0, 0, 1.0]])
        return cls(K=K, distortion=distortion)


CameraLike = Camera | np.ndarray | Tensor | Sequence[Sequence[float]]
"""A camera, or its calibration matrix K [3, 3] px."""


def as_camera(value: CameraLike, *, name: str = "camera") -> Camera:
    """Return a camera with a float64 array as K.

    Args:
        value: A :class:`Camera`, or K [3, 3] px as an array, a tensor or nested sequences.
        name: What it is, for messages.

    Raises:
        ValueError: If it is neither.
    """
    distortion = value.distortion if isinstance(value, Camera) else _NO_DISTORTION
    given = value.K if isinstance(value, Camera) else value
    try:
        detached = given.detach().cpu() if isinstance(given, Tensor) else given
        K = np.asarray(detached, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} needs a Camera or a matrix K of 3 x 3 numbers, found {type(value).__name__}"
        ) from error
    if K.shape != (3, 3):
        raise ShapeError(f"{name} needs a Camera or K [3, 3], found the shape {list(K.shape)}")
    return Camera(K=K, distortion=distortion)
