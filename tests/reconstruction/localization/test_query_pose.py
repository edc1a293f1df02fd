import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sfm_scenes import CAMERA, POSES, SIZE, quaternion_line

from gluestick.geometry.projection import project_points
from gluestick.reconstruction.known_cameras import KnownCamera
from gluestick.reconstruction.localization.queries import Query, QueryCamera, query_camera
from gluestick.reconstruction.localization.query_pose import (
    PoseConfig,
    correspondences,
    estimate_query_pose,
)
from gluestick.reconstruction.localization.records import pose_lines, query_record
from gluestick.reconstruction.localization.references import MatchedQuery, ReferenceMatches
from gluestick.reconstruction.localization.scene_map import SceneMap, read_scene_map

pytest.importorskip("pycolmap")

POSE = POSES["2.png"]
K = CAMERA.K
GIVEN = KnownCamera("PINHOLE", (K[0, 0], K[1, 1], K[0, 2] + 0.5, K[1, 2] + 0.5), SIZE)


@pytest.fixture
def scene() -> SceneMap:
    """60 points and 20 lines, which a photograph sees as its keypoints and segments."""
    rng = np.random.default_rng(0)
    return SceneMap(
        names=["r.png", "s.png"],
        points3d=rng.uniform(-1.2, 1.2, (60, 3)),
        lines3d=rng.uniform(-1.2, 1.2, (20, 2, 3)),
        points_of_keypoints={
            "r.png": np.arange(60),
            "s.png": np.where(np.arange(60) < 30, np.arange(60), -1),
        },
        lines_of_segments={"r.png": {index: index for index in range(20)}},
        views={},
        fingerprint="",
    )


@pytest.fixture
def seen(scene: SceneMap) -> Callable[..., MatchedQuery]:
    """What the camera of 2.png sees of it, with a tenth of the matches wrong."""

    def build(*, scale: float = 1.0, noise: float = 0.3, wrong: int = 6) -> MatchedQuery:
        rng = np.random.default_rng(1)
        points = project_points(scene.points3d, POSE, CAMERA)[0] + rng.normal(0, noise, (60, 2))
        lines = project_points(scene.lines3d, POSE, CAMERA)[0] + rng.normal(0, noise, (20, 2, 2))
        points[:wrong] = rng.uniform(0, 240, (wrong, 2))
        features = {"keypoints": points, "lines": lines, "image_size": np.array(SIZE)}
        pairs = np.repeat(np.arange(60)[:, None], 2, axis=1)
        references = [
            ReferenceMatches(name=name, similarity=0.5, keypoints=pairs, segments=pairs[:20])
            for name in ("r.png", "s.png")
        ]
        return MatchedQuery(features=features, scale=scale, turn=0.0, references=references)

    return build


def centre_error(estimate) -> float:
    R, t = estimate.cam_from_world.R, estimate.cam_from_world.t
    return float(np.linalg.norm(R.T @ t - POSE.R.T @ POSE.t))


def test_what_several_photographs_say_counts_once(scene: SceneMap, seen) -> None:
    found = correspondences(scene, seen().references)
    assert found.points.tolist() == [[index, index] for index in range(60)]
    assert found.lines.tolist() == [[index, index] for index in range(20)]
    assert correspondences(scene, []).points.shape == (0, 2)


def test_features_of_another_run_are_refused(scene: SceneMap, seen) -> None:
    scene.points_of_keypoints["r.png"] = np.arange(20)
    with pytest.raises(ValueError, match=r"r\.png has 20 keypoints in the model and more"):
        correspondences(scene, seen().references)


def test_known_and_unknown_focal_lengths(scene: SceneMap, seen) -> None:
    matched = seen()
    found = correspondences(scene, matched.references)
    camera = query_camera(Query(name="q", path=Path("q"), camera=GIVEN), SIZE)
    pose = estimate_query_pose(scene, matched, found, camera)
    assert pose.estimate.trusted
    assert centre_error(pose.estimate) < 0.02
    assert pose.estimate.point_inliers.sum() >= 50
    assert not pose.estimate.point_inliers[:6].any()
    assert pose.estimate.line_inliers.sum() >= 18
    free = estimate_query_pose(scene, matched, found, QueryCamera(source="unknown"))
    assert free.camera.model_name == "SIMPLE_PINHOLE"
    assert free.camera.params[0] == pytest.approx(305, rel=0.05)
    assert free.camera.params[1:].tolist() == [160, 120]
    points = estimate_query_pose(scene, matched, found, camera, config=PoseConfig(lines=False))
    assert len(points.estimate.line_inliers) == 0


def test_distorted_lenses(scene: SceneMap, seen) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    matched = seen(noise=0.0, wrong=0)
    lens = KnownCamera("SIMPLE_RADIAL", (300.0, 160.0, 120.0, -0.2), SIZE)
    camera = query_camera(Query(name="q", path=Path("q"), camera=lens), SIZE)
    for key, world in (("keypoints", scene.points3d), ("lines", scene.lines3d)):
        flat = world.reshape(-1, 3) @ POSE.R.T + POSE.t
        stored = np.array(camera.calibrated.img_from_cam(flat)) - 0.5
        matched.features[key] = stored.reshape(*world.shape[:-1], 2)
    assert isinstance(camera.calibrated, pycolmap.Camera)
    pose = estimate_query_pose(scene, matched, correspondences(scene, matched.references), camera)
    assert centre_error(pose.estimate) < 1e-4
    assert pose.estimate.line_inliers.all()


def test_thresholds_are_of_what_detectors_saw(scene: SceneMap, seen) -> None:
    matched = seen(scale=0.25)
    found = correspondences(scene, matched.references)
    camera = query_camera(Query(name="q", path=Path("q"), camera=GIVEN), SIZE)
    assert estimate_query_pose(scene, matched, found, camera).max_error == 12.0
    with pytest.raises(ValueError, match="max_error needs to be positive"):
        PoseConfig(max_error=0.0)


def test_records_and_lines_of_poses(scene: SceneMap, seen) -> None:
    matched = seen()
    found = correspondences(scene, matched.references)
    camera = query_camera(Query(name="q", path=Path("q"), camera=GIVEN), SIZE)
    pose = estimate_query_pose(scene, matched, found, camera)
    record = query_record("q q.png", scene, matched, found, camera, pose)
    assert json.loads(json.dumps(record)) == record
    assert record["localized"]
    assert record["reason"] is None
    assert record["camera"]["params"] == list(GIVEN.params)
    assert record["median_error"] < 1
    assert [own["num_points"] for own in record["references"]] == [60, 30]
    assert record["references"][0]["num_point_inliers"] == record["num_point_inliers"]
    line = pose_lines([record], untrusted=False)
    name, values = line.rsplit(" ", 7)[0], np.array(line.rsplit(" ", 7)[1:], float)
    assert name == "q q.png"
    assert values == pytest.approx(quaternion_line(pose.estimate.cam_from_world), abs=1e-9)


def test_why_queries_are_not_localized(scene: SceneMap, seen) -> None:
    camera = query_camera(Query(name="q", path=Path("q"), camera=GIVEN), SIZE)
    matched = seen(noise=0, wrong=57)

    def record(own: MatchedQuery):
        found = correspondences(scene, own.references)
        pose = estimate_query_pose(scene, own, found, camera, config=PoseConfig(lines=False))
        return query_record("q", scene, own, found, camera, pose)

    wrong = record(matched)
    assert not wrong["localized"]
    assert "60 points and 20 lines of the model match it" in wrong["reason"]
    assert pose_lines([wrong], untrusted=False) == ""
    alone = MatchedQuery(features=matched.features, scale=1.0, turn=0.0, references=[])
    assert record(alone)["reason"].startswith("it shows nothing by which it could be compared")
    assert record(alone)["cam_from_world"] is None


def test_a_map_needs_points_and_whole_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        read_scene_map(tmp_path)
