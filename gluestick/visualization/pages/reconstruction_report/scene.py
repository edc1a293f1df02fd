"""What a report shows in space."""

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np

from gluestick.checks import check_shapes

MAX_POINTS, MAX_LINES = 200_000, 50_000
"""More are thinned out on a page."""

_SHOWN_SHARE = 95
"""How many percent of the points lie within the sphere that is shown at first."""


@dataclass(frozen=True, kw_only=True)
class ReportScene:
    """Cameras, points and lines in the world.

    Attributes:
        camera_names: The names of the V photographs.
        camera_centres: [V, 3].
        camera_corners: [V, 4, 3], where the corners of the photographs are in the world at unit
            depth, in order around it from the top left one.
        points: [N, 3].
        point_colors: [N, 3] in 0 to 255.
        point_errors: [N] px, NaN where not known.
        lines: [M, 2, 3], the ends of segments.
    """

    camera_names: tuple[str, ...] = ()
    camera_centres: np.ndarray
    camera_corners: np.ndarray
    points: np.ndarray
    point_colors: np.ndarray
    point_errors: np.ndarray
    lines: np.ndarray

    def __post_init__(self) -> None:
        shapes = {
            "camera_centres": "V 3",
            "camera_corners": "V 4 3",
            "points": "N 3",
            "point_colors": "N 3",
            "point_errors": "N",
            "lines": "M 2 3",
        }
        sizes = check_shapes("ReportScene", {name: getattr(self, name) for name in shapes}, shapes)
        if sizes["V"] != len(self.camera_names):
            raise ValueError(
                f"ReportScene needs {sizes['V']} camera_names, found {len(self.camera_names)}"
            )

    @classmethod
    def empty(cls) -> "ReportScene":
        """Return a scene in which nothing was found."""
        none = np.zeros((0, 3))
        return cls(
            camera_centres=none,
            camera_corners=np.zeros((0, 4, 3)),
            points=none,
            point_colors=none,
            point_errors=np.zeros(0),
            lines=np.zeros((0, 2, 3)),
        )


def scene_data(scene: ReportScene) -> dict[str, Any]:
    """Return a scene as a page's script reads it.

    Coordinates are those of a frame in which the scene has about unit radius and the y axis
    points up, away from the bottoms of the photographs, seen at first from where cameras are.

    Returns:
        ``points``, ``lines`` and ``cameras`` (each a centre and four corners) as base64 of
        float32, ``colors`` as base64 of uint8, and ``names``.
    """
    origin, turn, scale = _frame(scene)

    def placed(points: np.ndarray) -> np.ndarray:
        return (points - origin) @ turn.T * scale

    shown = _thinned(len(scene.points), MAX_POINTS)
    corners = placed(scene.camera_corners)
    centres = placed(scene.camera_centres)[:, None]
    size = 0.25 * _spacing(centres[:, 0])
    rays = corners - centres
    reach = np.linalg.norm(rays, axis=-1, keepdims=True)
    corners = centres + size * rays / np.where(reach > 0, reach, 1)
    return {
        "points": _base64(placed(scene.points[shown]), np.float32),
        "colors": _base64(np.clip(scene.point_colors[shown], 0, 255), np.uint8),
        "lines": _base64(placed(scene.lines[_thinned(len(scene.lines), MAX_LINES)]), np.float32),
        "cameras": _base64(np.concatenate([centres, corners], axis=1), np.float32),
        "names": list(scene.camera_names),
    }


def _frame(scene: ReportScene) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the origin [3], axes [3, 3] and scale of the frame in which a scene is shown."""
    seen = np.concatenate([scene.points, scene.lines.reshape(-1, 3)])
    around = seen if len(seen) else scene.camera_centres
    if not len(around):
        return np.zeros(3), np.eye(3), 1.0
    origin = np.median(around, axis=0)
    radius = float(np.percentile(np.linalg.norm(around - origin, axis=1), _SHOWN_SHARE))
    scale = 1 / radius if radius > 0 else 1.0
    corners = scene.camera_corners
    up = (corners[:, :2].sum(axis=1) - corners[:, 2:].sum(axis=1)).sum(axis=0)
    towards = (scene.camera_centres - origin).sum(axis=0)
    return origin, _axes(up, towards), scale


def _axes(up: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """Return the rotation that brings ``up`` to y and ``towards``, as far as it can be, to z."""
    if np.linalg.norm(up) < 1e-9:
        return np.eye(3)
    y = up / np.linalg.norm(up)
    z = towards - (towards @ y) * y
    if np.linalg.norm(z) < 1e-9 * max(float(np.linalg.norm(towards)), 1e-9):
        least = np.eye(3)[np.abs(y).argmin()]
        z = least - (least @ y) * y
    z = z / np.linalg.norm(z)
    return np.stack([np.cross(y, z), y, z])


def _spacing(centres: np.ndarray) -> float:
    """Return how far cameras are from the next one, in the middle, within sensible limits."""
    if len(centres) < 2:
        return 0.5
    some = centres[_thinned(len(centres), 500)]
    distances = np.linalg.norm(some[:, None] - some, axis=-1)
    np.fill_diagonal(distances, np.inf)
    return float(np.clip(np.median(distances.min(axis=1)), 0.05, 1.0))


def _thinned(count: int, most: int) -> np.ndarray:
    """Return the indices of at most ``most`` of ``count`` things, evenly spread."""
    if count <= most:
        return np.arange(count)
    return np.arange(most) * count // most


def _base64(array: np.ndarray, dtype: type) -> str:
    finite = np.nan_to_num(np.asarray(array, np.float64))
    little = np.ascontiguousarray(finite.astype(np.dtype(dtype).newbyteorder("<")))
    return base64.b64encode(little.tobytes()).decode("ascii")
