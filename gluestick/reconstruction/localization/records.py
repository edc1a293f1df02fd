"""What came of a query, as plain values for ``poses.json``, and as lines of ``poses.txt``."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from gluestick.datasets.posed.formats.colmap_model import import_pycolmap
from gluestick.estimation import UncalibratedPoseEstimate
from gluestick.estimation.uncalibrated_pose import MOST_UNCERTAIN
from gluestick.geometry.pixels import corner_to_centre
from gluestick.reconstruction.localization.queries import QueryCamera
from gluestick.reconstruction.localization.query_pose import Correspondences, QueryPose
from gluestick.reconstruction.localization.references import MatchedQuery, ReferenceMatches
from gluestick.reconstruction.localization.scene_map import SceneMap
from gluestick.reconstruction.outcome import Record
from gluestick.types import Pose


def failed_record(name: str, reason: str) -> Record:
    """Return the record of a query that could not be looked at."""
    return {"name": name, "localized": False, "reason": reason, "cam_from_world": None}


def query_record(
    name: str,
    scene: SceneMap,
    matched: MatchedQuery,
    found: Correspondences,
    camera: QueryCamera,
    pose: QueryPose,
) -> Record:
    """Return the record of a query that was matched.

    Args:
        name: Its name.
        scene: The map.
        matched: Its features and matches.
        found: Its correspondences.
        camera: What was known of its camera.
        pose: Its pose.

    Returns:
        ``localized``, and ``reason``, None where it is; ``cam_from_world`` with ``qvec`` (w, x,
        y, z) and ``tvec``, also of a pose that is not trusted, and ``centre``; the ``camera`` in
        COLMAP's terms; ``log10_false_alarms``; numbers of correspondences and inliers; the
        ``median_error`` of the points that agree, px; and the ``references``.
    """
    estimate = pose.estimate
    reason = _reason(matched, found, pose)
    record: Record = {
        "name": name,
        "localized": reason is None,
        "reason": reason,
        "cam_from_world": None,
        "camera": None,
        "camera_from": camera.source,
        "turn": matched.turn,
        "num_points": len(found.points),
        "num_lines": len(found.lines),
        "num_point_inliers": 0,
        "num_line_inliers": 0,
        "references": [_reference_record(scene, own, found, pose) for own in matched.references],
    }
    if estimate is None:
        return record
    R, t = estimate.cam_from_world.R, estimate.cam_from_world.t
    record |= {
        "cam_from_world": {
            "qvec": quaternion(R),
            "tvec": t.tolist(),
            "centre": (-R.T @ t).tolist(),
        },
        "camera": {
            "model": pose.camera.model_name,
            "width": pose.camera.width,
            "height": pose.camera.height,
            "params": [float(value) for value in pose.camera.params],
        },
        "log10_false_alarms": round(estimate.log10_false_alarms, 2),
        "max_error": pose.max_error,
        "num_point_inliers": int(estimate.point_inliers.sum()),
        "num_line_inliers": int(estimate.line_inliers.sum()),
        "median_error": _median_error(scene, matched, found, pose),
    }
    if isinstance(estimate, UncalibratedPoseEstimate):
        record["focal_length_deviation"] = estimate.focal_length_deviation
    return record


def pose_lines(records: Iterable[Record], *, untrusted: bool) -> str:
    """Return the text of ``poses.txt``: ``name qw qx qy qz tx ty tz``.

    Args:
        records: What :func:`query_record` returned.
        untrusted: Whether also with poses that are not trusted.
    """
    lines = []
    for record in records:
        pose = record["cam_from_world"]
        if pose is not None and (record["localized"] or untrusted):
            values = [*pose["qvec"], *pose["tvec"]]
            lines.append(" ".join([record["name"], *(f"{value:.12g}" for value in values)]) + "\n")
    return "".join(lines)


def quaternion(R: np.ndarray) -> list[float]:
    """Return a rotation [3, 3] as (w, x, y, z) with w at least 0."""
    pycolmap = import_pycolmap("localization")
    x, y, z, w = pycolmap.Rotation3d(R).quat
    sign = -1.0 if w < 0 else 1.0
    return [float(sign * value) for value in (w, x, y, z)]


def project(camera: Any, pose: Pose, points3d: np.ndarray) -> np.ndarray:
    """Return where points of the world are seen.

    Args:
        camera: A ``pycolmap.Camera``.
        pose: X_camera = R X_world + t.
        points3d: [N, 3].

    Returns:
        [N, 2] px as stored, NaN behind the camera.
    """
    points = points3d @ pose.R.T + pose.t
    seen = np.full((len(points), 2), np.nan)
    front = points[:, 2] > 0
    if front.any():
        seen[front] = corner_to_centre(np.array(camera.img_from_cam(points[front]), np.float64))
    return seen


def _median_error(
    scene: SceneMap, matched: MatchedQuery, found: Correspondences, pose: QueryPose
) -> float | None:
    assert pose.estimate is not None
    inliers = found.points[pose.estimate.point_inliers]
    if len(inliers) == 0:
        return None
    seen = project(pose.camera, pose.estimate.cam_from_world, scene.points3d[inliers[:, 1]])
    errors = np.linalg.norm(seen - matched.features["keypoints"][inliers[:, 0]], axis=1)
    return round(float(np.nanmedian(errors)), 4)


def _reference_record(
    scene: SceneMap, own: ReferenceMatches, found: Correspondences, pose: QueryPose
) -> Record:
    rows = scene.points_of_keypoints[own.name][own.keypoints[:, 1]]
    agreeing: set[tuple[int, int]] = set()
    if pose.estimate is not None:
        agreeing = set(map(tuple, found.points[pose.estimate.point_inliers].tolist()))
    pairs = zip(own.keypoints[:, 0].tolist(), rows.tolist(), strict=True)
    return {
        "name": own.name,
        "similarity": round(own.similarity, 4),
        "num_point_matches": len(own.keypoints),
        "num_line_matches": len(own.segments),
        "num_points": int((rows >= 0).sum()),
        "num_point_inliers": sum(pair in agreeing for pair in pairs),
    }


def _reason(matched: MatchedQuery, found: Correspondences, pose: QueryPose) -> str | None:
    """Say why a query is not localized."""
    if not matched.references:
        return "it shows nothing by which it could be compared with the photographs of the model"
    counts = f"{len(found.points)} points and {len(found.lines)} lines of the model match it"
    estimate = pose.estimate
    if estimate is None:
        return f"{counts}, and too few agree on a pose"
    if estimate.trusted:
        return None
    agree = f"{estimate.point_inliers.sum()} points and {estimate.line_inliers.sum()} lines"
    if (
        isinstance(estimate, UncalibratedPoseEstimate)
        and estimate.focal_length_deviation > MOST_UNCERTAIN
    ):
        return f"{agree} agree on a pose, but leave the focal length open: give the camera"
    return f"{counts}, and the {agree} that agree on a pose could be chance"
