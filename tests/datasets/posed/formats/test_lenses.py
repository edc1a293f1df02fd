import json
from pathlib import Path

import pytest
from colmap_scenes import write_model
from posed_scenes import CAMERA, save_image

from gluestick.datasets.posed.depth_views import list_depth_pairs
from gluestick.datasets.posed.formats.lenses import read_lenses, with_lens


def test_most_folders_say_nothing(tmp_path: Path) -> None:
    assert read_lenses(tmp_path) == {}
    (tmp_path / "cameras.json").write_text(json.dumps({"a.jpg": {"K": CAMERA.K.tolist()}}))
    assert read_lenses(tmp_path) == {}


def test_cameras_json(tmp_path: Path) -> None:
    values = {"a.jpg": {"distortion": [-0.1, 0.02]}, "b.jpg": {"distortion": [0, 0]}, "c.jpg": {}}
    (tmp_path / "cameras.json").write_text(json.dumps(values))
    lenses = read_lenses(tmp_path)
    assert lenses == {"a.jpg": (-0.1, 0.02)}
    assert with_lens(CAMERA, lenses["a.jpg"]).distortion == (-0.1, 0.02, 0, 0, 0)
    assert with_lens(CAMERA, lenses.get("b.jpg")) is CAMERA


def test_a_colmap_model(tmp_path: Path) -> None:
    pytest.importorskip("pycolmap", reason="reads a COLMAP model (extra sfm)")
    write_model(tmp_path)
    assert read_lenses(tmp_path) == {}
    cameras = tmp_path / "sparse" / "0" / "cameras.txt"
    cameras.write_text("1 RADIAL 160 120 150 76.5 63.5 -0.1 0.02\n")
    assert read_lenses(tmp_path) == dict.fromkeys(
        ("query.png", "near.png", "far.png"), (-0.1, 0.02, 0, 0, 0)
    )
    cameras.write_text("1 OPENCV_FISHEYE 160 120 150 150 76.5 63.5 0.1 0 0 0\n")
    with pytest.raises(ValueError, match="found OPENCV_FISHEYE"):
        read_lenses(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}', '{"a": {"distortion": "much"}}'])
def test_damaged_files(tmp_path: Path, text: str) -> None:
    (tmp_path / "cameras.json").write_text(text)
    with pytest.raises(ValueError, match=r"cameras\.json|distortion"):
        read_lenses(tmp_path)


def test_depth_of_distorted_images_is_refused(tmp_path: Path) -> None:
    save_image(tmp_path / "images" / "a.jpg")
    (tmp_path / "cameras.json").write_text('{"a.jpg": {"distortion": [0.1]}}')
    with pytest.raises(ValueError, match=r"the lens of a\.jpg distorts"):
        list_depth_pairs(tmp_path)
