"""From the matches of a query to its pose, with a verdict."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gluestick.datasets.posed.formats.colmap_model import (
    import_pycolmap,
    pinhole_camera,
    undistort_by,
)
from gluestick.estimation import (
    AbsolutePoseEstimate,
    estimate_absolute_pose,
    estimate_uncalibrated_pose,
)
from gluestick.reconstruction.localization.queries import QueryCamera
from gluestick.reconstruction.localization.references import MatchedQuery, ReferenceMatches
from gluestick.reconstruction.localization.scene_map import SceneMap
from gluestick.types import Camera


@dataclass(frozen=True, kw_only=True)
class PoseConfig:
    """Options of the estimation.

    Attributes:
        max_error: The largest reprojection error of an inlier, px of the query as detectors saw
            it; for a line the sum of both endpoints' distances.
        lines: Whether lines take part.
        refine: Whether keypoints are aligned with those of the model's photographs.
        seed: Of all that is drawn at random.
    """

    max_error: float = 3.0
    lines: bool = True
    refine: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.max_error < float("inf"):
            raise ValueError(f"max_error needs to be positive, found {self.max_error}")


@dataclass(frozen=True, kw_only=True)
class Correspondences:
    """What of a query is where in space, each once.

    Attributes:
        points: [S, 2] int64, a keypoint of the query and a row of the map's points.
        lines: [T, 2] int64, a segment of the query and a row of the map's lines.
    """

    points: np.ndarray
    lines: np.ndarray


@dataclass(frozen=True, kw_only=True)
class QueryPose:
    """Where a query was taken.

    Attributes:
        estimate: The pose and its inliers among the correspondences, or None.
        camera: The ``pycolmap.Camera`` that goes with it, or None without a pose.
        max_error: The largest error of an inlier, px of the query as stored.
    """

    estimate: AbsolutePoseEstimate | None
    camera: Any
    max_error: float


def correspondences(scene: SceneMap, references: Sequence[ReferenceMatches]) -> Correspondences:
    """Return what the matches with several photographs say together.

    Args:
        scene: The map.
        references: The matches.

    Returns:
        The correspondences in the order of the query's features.

    Raises:
        ValueError: If a photograph has more keypoints than the model knows of.
    """
    points, lines = [], []
    for own in references:
        seen = scene.points_of_keypoints[own.name]
        if own.keypoints[:, 1].max(initial=-1) >= len(seen):
            raise ValueError(
                f"{own.name} has {len(seen)} keypoints in the model and more among its features: "
                "they come from different runs"
            )
        rows = seen[own.keypoints[:, 1]]
        known = rows >= 0
        points.append(np.stack([own.keypoints[known, 0], rows[known]], axis=1))
        of_segments = scene.lines_of_segments.get(own.name, {})
        rows = np.array([of_segments.get(each, -1) for each in own.segments[:, 1].tolist()], int)
        known = rows >= 0
        lines.append(np.stack([own.segments[known, 0], rows[known]], axis=1))
    return Correspondences(points=_distinct(points), lines=_distinct(lines))


def estimate_query_pose(
    scene: SceneMap,
    query: MatchedQuery,
    found: Correspondences,
    camera: QueryCamera,
    *,
    config: PoseConfig | None = None,
) -> QueryPose:
    """Estimate the pose of a query, and its focal length where it is not known.

    Args:
        scene: The map.
        query: The query and its features.
        found: Its correspondences.
        camera: What is known of its camera.
        config: The options.

    Returns:
        The pose; its estimate is None where too few correspondences agree.
    """
    config = config or PoseConfig()
    max_error = config.max_error / query.scale
    points2d = query.features["keypoints"][found.points[:, 0]].astype(np.float64)
    lines = found.lines if config.lines else found.lines[:0]
    lines2d = query.features["lines"][lines[:, 0]].astype(np.float64)
    world = scene.points3d[found.points[:, 1]], scene.lines3d[lines[:, 1]]
    if camera.calibrated is not None:
        moved = [undistort_by(camera.calibrated, each) for each in (points2d, lines2d)]
        estimate = _calibrated(camera.calibrated, moved, world, max_error, config)
        return QueryPose(estimate=estimate, camera=camera.calibrated, max_error=max_error)
    width, height = query.features["image_size"].tolist()
    free = estimate_uncalibrated_pose(
        points2d,
        world[0],
        (width, height),
        lines2d,
        world[1],
        expected_focal_length=camera.expected_focal_length,
        max_error=max_error,
        seed=config.seed,
    )
    made = None if free is None else _simple_pinhole(free.camera, width, height)
    return QueryPose(estimate=free, camera=made, max_error=max_error)


def _simple_pinhole(camera: Camera, width: int, height: int) -> Any:
    """Return the ``pycolmap.Camera`` of square pixels that has the focal length of a camera."""
    pycolmap = import_pycolmap("localization")
    length = float(camera.K[0, 0])
    return pycolmap.Camera.create_from_model_name(0, "SIMPLE_PINHOLE", length, width, height)


def _calibrated(
    camera: Any,
    seen: Sequence[np.ndarray],
    world: Sequence[np.ndarray],
    max_error: float,
    config: PoseConfig,
) -> AbsolutePoseEstimate | None:
    # Beyond the field of view of some lenses' models there is no ray.
    usable = [np.isfinite(each).all(axis=tuple(range(1, each.ndim))) for each in seen]
    estimate = estimate_absolute_pose(
        seen[0][usable[0]],
        world[0][usable[0]],
        pinhole_camera(camera),
        seen[1][usable[1]],
        world[1][usable[1]],
        max_error=max_error,
        seed=config.seed,
    )
    if estimate is None:
        return None
    masks = []
    for each, inliers in zip(usable, (estimate.point_inliers, estimate.line_inliers), strict=True):
        masks.append(np.zeros(len(each), dtype=bool))
        masks[-1][each] = inliers
    return AbsolutePoseEstimate(
        cam_from_world=estimate.cam_from_world,
        point_inliers=masks[0],
        line_inliers=masks[1],
        log10_false_alarms=estimate.log10_false_alarms,
        trusted=estimate.trusted,
    )


def _distinct(pairs: Sequence[np.ndarray]) -> np.ndarray:
    return np.unique(np.concatenate([np.zeros((0, 2), np.int64), *pairs]), axis=0)
