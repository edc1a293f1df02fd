from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gluestick.cli.pair.cameras import find_cameras, parse_camera

K = np.array([[500.0, 0, 320], [0, 510.0, 240], [0, 0, 1]])
EXIF, FOCAL_LENGTH_35MM = 0x8769, 0xA405


def photograph(path: Path, *, focal_length: int | None = None) -> Path:
    exif = Image.Exif()
    if focal_length is not None:
        exif.get_ifd(EXIF)[FOCAL_LENGTH_35MM] = focal_length
    Image.new("RGB", (300, 200)).save(path, exif=exif)
    return path


def test_files_hold_a_matrix(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "K.txt", K)
    np.savetxt(tmp_path / "K.csv", K, delimiter=",")
    np.save(tmp_path / "K.npy", K)
    for name in ("K.txt", "K.csv", "K.npy"):
        np.testing.assert_array_equal(parse_camera(str(tmp_path / name), option="--K0").K, K)


def test_numbers_are_a_camera_too() -> None:
    camera = parse_camera("500,510,320,240", option="--K0")
    np.testing.assert_array_equal(camera.K, K)
    assert not camera.is_distorted
    np.testing.assert_array_equal(
        parse_camera("500,320,240", option="--K0").K, [[500, 0, 320], [0, 500, 240], [0, 0, 1]]
    )
    lens = parse_camera("500,510,320,240,-0.2,0.05,1e-3,2e-3", option="--K0")
    assert lens.distortion == (-0.2, 0.05, 1e-3, 2e-3, 0)


@pytest.mark.parametrize(
    "value", ["K.txt", "1,2", "1,2,3,4,5,6,7,8,9,10", "500,a,3", "", "nan,1,2"]
)
def test_other_values_are_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"--K1"):
        parse_camera(value, option="--K1")


@pytest.mark.parametrize("content", ["", "1 2 3", "a b c d e f g h i", "0 0 0 0 0 0 0 0 0"])
def test_other_files_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "K.txt").write_text(content)
    with pytest.raises(ValueError, match=r"--K1 .*K\.txt"):
        parse_camera(str(tmp_path / "K.txt"), option="--K1")


def test_exif_stands_in_for_what_is_not_given(tmp_path: Path) -> None:
    known = photograph(tmp_path / "a.jpg", focal_length=43)
    unknown = photograph(tmp_path / "b.jpg")
    cameras = find_cameras((None, "500,320,240"), (known, unknown))
    assert cameras is not None
    assert cameras[0].K[0, 0] == pytest.approx(np.hypot(300, 200), rel=0.01)
    assert cameras[0].K[:2, 2].tolist() == [149.5, 99.5]
    assert cameras[1].K[0, 0] == 500
    assert find_cameras((None, None), (known, unknown)) is None
    assert find_cameras((None, None), (known, known)) is not None
    with pytest.raises(ValueError, match=r"--K0 needs --K1 beside it: .*b\.jpg has no focal"):
        find_cameras(("500,320,240", None), (known, unknown))
