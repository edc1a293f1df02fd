from pathlib import Path

import numpy as np
import pytest
from colmap_scenes import write_model

from gluestick.datasets.posed.formats.colmap_text import (
    pinhole_camera,
    read_cameras_text,
    read_images_text,
    rotation_from_quaternion,
)

CAMERAS = """# Camera list
0 PINHOLE 640 480 500 510 320 240
3 SIMPLE_PINHOLE 640 480 500 320 240
"""
IMAGES = """# Image list
1 1 0 0 0 1 2 3 0 folder/a b.jpg
10.5 20.5 7 1 2 -1 3 4 9
2 0.70710678 0 0 0.70710678 0 0 0 3 c.jpg

"""


def test_cameras_and_images(tmp_path: Path) -> None:
    (tmp_path / "cameras.txt").write_text(CAMERAS)
    (tmp_path / "images.txt").write_text(IMAGES)
    cameras = read_cameras_text(tmp_path / "cameras.txt")
    images = read_images_text(tmp_path / "images.txt")
    assert list(cameras) == [0, 3]
    assert cameras[0].image_size == (640, 480)
    assert list(images) == ["folder/a b.jpg", "c.jpg"]
    assert images["folder/a b.jpg"].point3d_ids == {7, 9}
    assert images["folder/a b.jpg"].cam_from_world.t.tolist() == [1, 2, 3]
    assert images["c.jpg"].point3d_ids == set()
    quarter = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    np.testing.assert_allclose(images["c.jpg"].cam_from_world.R, quarter, atol=1e-7)


def test_pinhole_cameras_are_scaled_about_the_corner(tmp_path: Path) -> None:
    (tmp_path / "cameras.txt").write_text(CAMERAS)
    cameras = read_cameras_text(tmp_path / "cameras.txt")
    K = pinhole_camera(cameras[0], image_size=(320, 120)).K
    assert K.tolist() == [[250, 0, 159.5], [0, 127.5, 59.5], [0, 0, 1]]
    K = pinhole_camera(cameras[3], image_size=(640, 480)).K
    assert K.tolist() == [[500, 0, 319.5], [0, 500, 239.5], [0, 0, 1]]


def test_wrong_files(tmp_path: Path) -> None:
    path = tmp_path / "cameras.txt"
    with pytest.raises(ValueError, match="no text file"):
        read_cameras_text(path)
    path.write_text("0 PINHOLE wide 480 500 510 320 240\n")
    with pytest.raises(ValueError, match="line 1: needs ID MODEL"):
        read_cameras_text(path)
    path.write_text("1 1 0 0 0 1 2 3 0\n\n")
    with pytest.raises(ValueError, match="line 1: needs ID QW"):
        read_images_text(path)
    path.write_text("0 OPENCV 640 480 500 510 320 240 0 0 0 0\n")
    with pytest.raises(ValueError, match="PINHOLE camera, found OPENCV"):
        pinhole_camera(read_cameras_text(path)[0], image_size=(640, 480))


def test_quaternions_need_a_length() -> None:
    half = rotation_from_quaternion(np.array([0.0, 0, 0, 2]))
    np.testing.assert_allclose(half, np.diag([-1, -1, 1]), atol=1e-12)
    with pytest.raises(ValueError, match="positive length"):
        rotation_from_quaternion(np.zeros(4))


def test_equals_the_reader_of_pycolmap(tmp_path: Path) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    model = write_model(tmp_path) / "sparse" / "0"
    reference = pycolmap.Reconstruction()
    reference.read_text(str(model))
    images = read_images_text(model / "images.txt")
    assert len(images) == len(reference.images) == 3
    for expected in reference.images.values():
        image, pose = images[expected.name], expected.cam_from_world()
        assert image.camera_id == expected.camera_id
        observed = {point.point3D_id for point in expected.points2D if point.has_point3D()}
        assert image.point3d_ids == observed
        np.testing.assert_allclose(image.cam_from_world.R, pose.rotation.matrix(), atol=1e-12)
        np.testing.assert_allclose(image.cam_from_world.t, pose.translation, atol=1e-12)
    cameras = read_cameras_text(model / "cameras.txt")
    assert list(cameras) == list(reference.cameras)
    for number, expected in reference.cameras.items():
        camera = cameras[number]
        assert camera.model == expected.model.name
        assert camera.image_size == (expected.width, expected.height)
        np.testing.assert_array_equal(camera.params, expected.params)
