"""A textured plane seen by four cameras, with keypoints that are up to a pixel off."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from sfm_scenes import CAMERA, POSES, SIZE, pose_errors

from gluestick.geometry.projection import project_points
from gluestick.reconstruction.refinement.model import adjust, refine_model
from gluestick.reconstruction.refinement.tracks import PosedImage, local_maps, track_links

pycolmap = pytest.importorskip("pycolmap")

UNIT = 0.004
"""The size of a texel of the plane z = 0, which is centred at the origin."""

POINTS = np.column_stack([np.random.default_rng(3).uniform(-1.1, 1.1, (80, 2)), np.zeros((80, 1))])


def write_photographs(folder: Path) -> None:
    noise = np.random.default_rng(0).uniform(0, 255, (900, 900)).astype(np.float32)
    texture = np.clip(cv2.GaussianBlur(noise, (0, 0), 5.0) * 8 - 890, 0, 255)
    to_plane = np.array([[UNIT, 0, -UNIT * 449.5], [0, UNIT, -UNIT * 449.5], [0, 0, 1]])
    for name, pose in POSES.items():
        to_camera = np.column_stack([pose.R[:, :2], pose.t])
        H = CAMERA.K @ to_camera @ to_plane
        image = cv2.warpPerspective(texture, H, SIZE, flags=cv2.INTER_AREA)
        Image.fromarray(image.astype(np.uint8)).save(folder / name)


def noisy_model(*, noise: float) -> Any:
    """Return the true model with noisy keypoints."""
    model = pycolmap.Reconstruction()
    fx, fy, cx, cy = CAMERA.K[0, 0], CAMERA.K[1, 1], CAMERA.K[0, 2], CAMERA.K[1, 2]
    camera = pycolmap.Camera(
        model="PINHOLE", width=SIZE[0], height=SIZE[1], params=[fx, fy, cx + 0.5, cy + 0.5]
    )
    camera.camera_id = 1
    model.add_camera_with_trivial_rig(camera)
    rng = np.random.default_rng(5)
    for number, (name, pose) in enumerate(POSES.items(), start=1):
        keypoints = project_points(POINTS, pose, CAMERA)[0] + rng.normal(0, noise, (80, 2)) + 0.5
        image = pycolmap.Image(name=name, keypoints=keypoints, camera_id=1, image_id=number)
        model.add_image_with_trivial_frame(
            image, pycolmap.Rigid3d(pycolmap.Rotation3d(pose.R), pose.t)
        )
    for index, point in enumerate(POINTS):
        track = pycolmap.Track()
        for number in range(1, len(POSES) + 1):
            track.add_element(number, index)
        model.add_point3D(point, track, np.zeros(3, np.uint8))
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    photographs = tmp_path_factory.mktemp("plane")
    write_photographs(photographs)
    return photographs


def test_refined_keypoints_give_better_poses(folder: Path) -> None:
    detected, model = noisy_model(noise=0.4), noisy_model(noise=0.4)
    adjust(detected, constant_cameras=[1], loss_scale=0.5, max_error=4.0)
    done = refine_model(model, folder, constant_cameras=[1])
    assert done.num_observations == 80 * 3
    assert done.num_aligned > 0.7 * done.num_observations
    assert 0.2 < done.median_shift < 1.0
    before, after = pose_errors(detected), pose_errors(model)
    assert after[0] < 0.6 * before[0]
    assert after[1] < 0.6 * before[1]
    assert model.compute_mean_reprojection_error() < 0.15
    assert model.cameras[1].params[0] == CAMERA.K[0, 0]


def test_poses_can_be_held(folder: Path) -> None:
    model = noisy_model(noise=0.4)
    refine_model(model, folder, constant_cameras=[1], constant_poses=True)
    for image in model.images.values():
        true = POSES[image.name]
        assert image.projection_center() == pytest.approx(-true.R.T @ true.t, abs=1e-9)
    errors = [np.abs(point.xyz[2]) for point in model.points3D.values()]
    assert np.median(errors) < 0.01


def test_photographs_that_cannot_be_read_keep_their_keypoints(tmp_path: Path) -> None:
    model = noisy_model(noise=0.1)
    before = model.images[2].points2D[7].xy.copy()
    done = refine_model(model, tmp_path, constant_cameras=[1])
    assert (done.num_removed, done.median_shift) == (0, 0.0)
    np.testing.assert_array_equal(model.images[2].points2D[7].xy, before)


def test_tracks_start_from_the_view_in_the_middle() -> None:
    model = noisy_model(noise=0.0)
    images = {number: PosedImage(image, model.cameras[1]) for number, image in model.images.items()}
    links = track_links(model, images)
    assert sum(len(link.keypoints1) for link in links) == 240
    assert {link.image_id0 for link in links} <= {2, 3}
    link = links[0]
    np.testing.assert_array_equal(link.keypoints0, link.keypoints1)
    np.testing.assert_allclose(link.points3d, POINTS[link.keypoints0])


def test_local_maps_are_how_neighbours_move() -> None:
    model = noisy_model(noise=0.0)
    first, second = (PosedImage(model.images[number], model.cameras[1]) for number in (2, 3))
    maps = local_maps(first, second, POINTS[:10])
    ray = first.in_camera(POINTS[:10])
    beside = first.to_world(ray + np.array([0.002, -0.001, 0.0]))
    step0 = first.project(beside) - first.project(POINTS[:10])
    step1 = second.project(beside) - second.project(POINTS[:10])
    np.testing.assert_allclose((maps @ step0[..., None])[..., 0], step1, atol=2e-3)
    behind = first.to_world(np.array([[0, 0, -3.0]]))
    assert np.isnan(local_maps(first, second, behind)).all()
