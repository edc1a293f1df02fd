"""A query's pose made exact: its keypoints aligned with those of the model's photographs.

What one photograph shows places a keypoint to some tenths of a pixel. The patch around it in a
photograph of the model, whose own keypoints were aligned along their tracks
(:mod:`gluestick.reconstruction.refinement`), says where it is to a fraction of that.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from gluestick.datasets.posed.formats.colmap_model import pinhole_camera, undistort_by
from gluestick.estimation import UncalibratedPoseEstimate
from gluestick.estimation.absolute_refinement import WorldMatches, refine_absolute_pose
from gluestick.reconstruction.localization.query_pose import Correspondences, QueryPose
from gluestick.reconstruction.localization.references import MatchedQuery
from gluestick.reconstruction.localization.scene_map import SceneMap
from gluestick.reconstruction.refinement.model import RefinementConfig
from gluestick.reconstruction.refinement.photographs import (
    Photograph,
    Photographs,
    align_observations,
)
from gluestick.reconstruction.refinement.tracks import PosedCamera, local_maps

_MAX_ERROR = 1.0
"""The largest error of an aligned keypoint, px of the photographs as reduced."""

_FEWEST = 20
"""With fewer aligned keypoints a pose stays as it is."""


class QueryRefinement:
    """Refines queries one after the other.

    Args:
        scene: The map.
        image_dir: The photographs of the model.
        config: How patches are aligned.
    """

    def __init__(
        self, scene: SceneMap, image_dir: Path, *, config: RefinementConfig | None = None
    ) -> None:
        self._scene, self._config = scene, config or RefinementConfig()
        self._numbers = {name: number for number, name in enumerate(scene.names)}
        self._photographs = self._open(image_dir, scene.names)

    def refine(
        self, path: Path, matched: MatchedQuery, found: Correspondences, pose: QueryPose
    ) -> QueryPose:
        """Refine a pose on the points that agree with it.

        Args:
            path: The photograph.
            matched: Its features and matches.
            found: Its correspondences.
            pose: Its pose.

        Returns:
            The pose; as it was where it is not trusted, its camera is estimated, whose model
            would not bear the smaller errors, or fewer than 20 keypoints can be aligned.
        """
        estimate = pose.estimate
        opened = self._open(path.parent, [path.name])
        photograph = opened.get(0)
        guessed = isinstance(estimate, UncalibratedPoseEstimate)
        if estimate is None or not estimate.trusted or guessed or photograph is None:
            return pose
        rows = np.flatnonzero(estimate.point_inliers)
        positions, aligned = self._aligned(photograph, matched, found.points[rows], pose)
        if aligned.sum() < _FEWEST:
            return pose
        rows = rows[aligned]
        refined = refine_absolute_pose(
            estimate.cam_from_world,
            pinhole_camera(pose.camera),
            WorldMatches(
                points2d=undistort_by(pose.camera, positions[aligned]),
                points3d=self._scene.points3d[found.points[rows, 1]],
                lines2d=np.zeros((0, 2, 2)),
                lines3d=np.zeros((0, 2, 3)),
            ),
            max_error=_MAX_ERROR * opened.mean_enlargement(),
        )
        return replace(pose, estimate=replace(estimate, cam_from_world=refined.cam_from_world))

    def _open(self, folder: Path, names: Sequence[str]) -> Photographs:
        return Photographs(
            folder,
            dict(enumerate(names)),
            size=self._config.size,
            smoothing=self._config.alignment.smoothing,
        )

    def _aligned(
        self, photograph: Photograph, matched: MatchedQuery, pairs: np.ndarray, pose: QueryPose
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return where keypoints [N, 2] px are, and which were aligned [N] bool.

        Args:
            photograph: The query.
            matched: Its features and matches.
            pairs: [N, 2], keypoints of the query and rows of the map's points.
            pose: Its pose.
        """
        assert pose.estimate is not None
        query = PosedCamera(pose.estimate.cam_from_world, pose.camera)
        positions = matched.features["keypoints"][pairs[:, 0]].astype(np.float64)
        aligned = np.zeros(len(pairs), dtype=bool)
        waiting = {pair: row for row, pair in enumerate(map(tuple, pairs.tolist()))}
        for own in matched.references:
            seen = self._scene.points_of_keypoints[own.name][own.keypoints[:, 1]]
            links = [
                (waiting.pop((keypoint, row)), other)
                for (keypoint, other), row in zip(
                    own.keypoints.tolist(), seen.tolist(), strict=True
                )
                if (keypoint, row) in waiting
            ]
            reference = self._photographs.get(self._numbers[own.name])
            if not links or reference is None:
                continue
            rows, others = np.array(links).T
            view = self._scene.views[own.name]
            positions[rows], aligned[rows] = align_observations(
                reference,
                photograph,
                view.keypoints(others),
                positions[rows],
                local_maps(view, query, self._scene.points3d[pairs[rows, 1]]),
                config=self._config.alignment,
            )
        return positions, aligned
