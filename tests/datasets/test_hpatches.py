from pathlib import Path

import numpy as np
import pytest

from gluestick.datasets.hpatches import list_scene_pairs

H = np.array([[0.9, 0.1, 3.0], [-0.1, 1.1, 2.0], [1e-4, 0.0, 1.0]])


def make_scene(root: Path, name: str, *, images: tuple[str, ...], homographies: str) -> Path:
    scene = root / name
    scene.mkdir()
    for image in images:
        (scene / image).touch()
    for number in homographies:
        np.savetxt(scene / f"H_1_{number}", H)
    return scene


def test_image_1_is_paired_with_each_other(tmp_path: Path) -> None:
    wall = make_scene(tmp_path, "v_wall", images=("1.ppm", "2.ppm", "3.png"), homographies="23")
    make_scene(tmp_path, "i_wall", images=("1.png", "2.png"), homographies="2")
    make_scene(tmp_path, "notes", images=("1.png", "2.png"), homographies="2")
    pairs = list_scene_pairs(tmp_path)
    assert [pair.name for pair in pairs] == ["i_wall/2", "v_wall/2", "v_wall/3"]
    assert [pair.change for pair in pairs] == ["illumination", "viewpoint", "viewpoint"]
    assert pairs[2].files() == (wall / "1.ppm", wall / "3.png")
    for pair in pairs:
        np.testing.assert_array_equal(pair.H_0to1, H)


def test_files_that_are_no_images_are_left_out(tmp_path: Path) -> None:
    scene = make_scene(tmp_path, "v_a", images=("1.info", "1.JPG", "2.txt"), homographies="2")
    (pair,) = list_scene_pairs(tmp_path)
    with pytest.raises(ValueError, match=r"image 2\.\*"):
        pair.files()
    (scene / "2.pgm").touch()
    assert pair.files() == (scene / "1.JPG", scene / "2.pgm")


def test_bad_folders(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no folder"):
        list_scene_pairs(tmp_path / "nowhere")
    make_scene(tmp_path, "v_a", images=("1.png", "2.png"), homographies="")
    with pytest.raises(ValueError, match="found none"):
        list_scene_pairs(tmp_path)
    (tmp_path / "v_a" / "H_1_3").write_text("1 2 3")
    with pytest.raises(ValueError, match="H_1_3 needs 3 x 3 numbers"):
        list_scene_pairs(tmp_path)
