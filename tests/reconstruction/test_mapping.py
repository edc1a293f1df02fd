from pathlib import Path
from typing import Any

import pytest
from sfm_scenes import CAMERA, POSES, SIZE, pose_errors

from gluestick.reconstruction.colmap.verification import add_two_view_geometries
from gluestick.reconstruction.mapping import MappingConfig, map_photographs, triangulate

pycolmap = pytest.importorskip("pycolmap")

NAMES = list(POSES)


@pytest.fixture
def verified(database: tuple[Any, dict[str, int]], readers: Any, tmp_path: Path) -> Path:
    opened, ids = database
    pairs = [(a, b) for index, a in enumerate(NAMES) for b in NAMES[index + 1 :]]
    add_two_view_geometries(opened, *readers, ids, pairs)
    return tmp_path / "database.db"


@pytest.mark.parametrize("mapper", ["incremental", "global"])
def test_known_cameras_are_kept_and_poses_found(
    verified: Path, scene: Path, tmp_path: Path, mapper: str
) -> None:
    config = MappingConfig(mapper=mapper)
    models = map_photographs(
        verified,
        scene / "images",
        tmp_path / "out",
        names=NAMES,
        constant_cameras=[1],
        config=config,
    )
    assert [model.num_reg_images() for model in models] == [4]
    assert models[0].num_points3D() > 80
    fx, cx = CAMERA.K[0, 0], CAMERA.K[0, 2] + 0.5
    assert models[0].cameras[1].params[[0, 2]].tolist() == [fx, cx]
    centre, rotation = pose_errors(models[0])
    assert centre < 0.01
    assert rotation < 0.2


def test_other_photographs_are_left_alone_and_progress_is_told(
    verified: Path, scene: Path, tmp_path: Path
) -> None:
    told: list[int] = []
    models = map_photographs(
        verified,
        scene / "images",
        tmp_path / "out",
        names=NAMES[:3],
        constant_cameras=[1],
        registered=lambda: told.append(1),
    )
    assert {image.name for image in models[0].images.values()} == set(NAMES[:3])
    assert told


def test_points_are_found_from_known_poses(verified: Path, scene: Path, tmp_path: Path) -> None:
    (model,) = map_photographs(
        verified, scene / "images", tmp_path / "out", names=NAMES, constant_cameras=[1]
    )
    before = {image.name: image.projection_center() for image in model.images.values()}
    found = triangulate(model, verified, scene / "images", tmp_path / "posed")
    assert found.num_points3D() > 80
    for image in found.images.values():
        assert image.projection_center() == pytest.approx(before[image.name], abs=1e-9)


def test_a_posed_model_may_have_numbers_of_its_own(
    verified: Path, scene: Path, tmp_path: Path
) -> None:
    posed = pycolmap.Reconstruction()
    fx, fy, cx, cy = CAMERA.K[0, 0], CAMERA.K[1, 1], CAMERA.K[0, 2], CAMERA.K[1, 2]
    for number, name in enumerate(reversed(NAMES), start=11):  # a camera for each image
        camera = pycolmap.Camera(
            model="PINHOLE", width=SIZE[0], height=SIZE[1], params=[fx, fy, cx + 0.5, cy + 0.5]
        )
        camera.camera_id = number
        posed.add_camera_with_trivial_rig(camera)
        posed.add_image_with_trivial_frame(
            pycolmap.Image(name=name, camera_id=number, image_id=number + 7),
            pycolmap.Rigid3d(pycolmap.Rotation3d(POSES[name].R), POSES[name].t),
        )
    found = triangulate(posed, verified, scene / "images", tmp_path / "posed")
    assert found.num_points3D() > 80
    assert found.compute_mean_reprojection_error() < 0.1
    assert sorted(image.name for image in found.images.values()) == NAMES
    for image in found.images.values():
        pose = POSES[image.name]
        assert image.projection_center() == pytest.approx(-pose.R.T @ pose.t, abs=1e-9)


def test_options_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="the mapper needs to be incremental or global"):
        MappingConfig(mapper="quick")


def test_a_seed_gives_one_model(verified: Path, scene: Path, tmp_path: Path) -> None:
    centres = []
    for number in range(2):
        (model,) = map_photographs(
            verified, scene / "images", tmp_path / str(number), names=NAMES, constant_cameras=[1]
        )
        centres.append({i.name: i.projection_center().tolist() for i in model.images.values()})
    assert centres[0] == centres[1]
