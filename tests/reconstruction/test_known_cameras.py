import json
from pathlib import Path

import pytest

from gluestick.reconstruction.known_cameras import KnownCamera, read_known_cameras

NAMES = ("a.jpg", "b.jpg", "c.jpg")
ENTRY = {"K": [[300, 0, 158], [0, 310, 121], [0, 0, 1]], "width": 320, "height": 240}


def write(path: Path, entries: object) -> Path:
    path.write_text(json.dumps(entries))
    return path


def test_json_is_moved_to_the_corner(tmp_path: Path) -> None:
    lens = ENTRY | {"distortion": [0.1, -0.02]}
    path = write(tmp_path / "cameras.json", {"a.jpg": ENTRY, "b.jpg": lens, "other.jpg": ENTRY})
    found = read_known_cameras(path, NAMES)
    assert found == {
        "a.jpg": KnownCamera("PINHOLE", (300.0, 310.0, 158.5, 121.5), (320, 240)),
        "b.jpg": KnownCamera(
            "OPENCV", (300.0, 310.0, 158.5, 121.5, 0.1, -0.02, 0.0, 0.0), (320, 240)
        ),
    }


def test_a_single_camera_is_that_of_all(tmp_path: Path) -> None:
    path = tmp_path / "cameras.txt"
    path.write_text("# a comment\n1 SIMPLE_RADIAL 320 240 300 160 120 0.01\n")
    camera = KnownCamera("SIMPLE_RADIAL", (300.0, 160.0, 120.0, 0.01), (320, 240))
    assert read_known_cameras(path, NAMES) == dict.fromkeys(NAMES, camera)
    path.write_text("1 PINHOLE 8 6 1 1 4 3\n2 PINHOLE 8 6 1 1 4 3\n")
    with pytest.raises(ValueError, match=r"a single camera .* found 2"):
        read_known_cameras(path, NAMES)


def test_a_model_tells_the_cameras_of_its_images(tmp_path: Path) -> None:
    pytest.importorskip("pycolmap")
    from colmap_scenes import write_model

    write_model(tmp_path)
    found = read_known_cameras(tmp_path, ("near.png", "new.png"))
    assert list(found) == ["near.png"]
    assert found["near.png"].model == "PINHOLE"
    assert found["near.png"].params[2] == pytest.approx(76.5)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"a.jpg": {"f": 3}}, "K"),
        ({"a.jpg": {"K": [[1, 0], [0, 1]]}}, "3"),
        ({"a.jpg": {"K": [[-300, 0, 158], [0, 310, 121], [0, 0, 1]]}}, "positive focal"),
        ({"a.jpg": ENTRY | {"distortion": [0, 0, 0, 0, 1]}}, "up to four"),
        (["a.jpg"], "K"),
        ({"other.jpg": ENTRY}, "knows the camera of none of the 3"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path: Path, entries: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_known_cameras(write(tmp_path / "cameras.json", entries), NAMES)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no file of cameras"):
        read_known_cameras(tmp_path / "missing.json", NAMES)
    with pytest.raises(ValueError, match="needs the files of a COLMAP model"):
        read_known_cameras(tmp_path, NAMES)
    with pytest.raises(ValueError, match=r"are read from cameras\.json"):
        read_known_cameras(tmp_path / "cameras.yaml", NAMES)


def test_a_camera_is_of_one_size() -> None:
    KnownCamera("PINHOLE", (1.0,) * 4).check_size("a", (9, 9))
    with pytest.raises(ValueError, match="camera of a is for 8 x 6 px"):
        KnownCamera("PINHOLE", (1.0,) * 4, (8, 6)).check_size("a", (6, 8))
