from pathlib import Path

import numpy as np
import pytest

from gluestick.datasets.posed.posed_pairs import find_image, find_pairs_file, read_posed_pairs

K = "500 0 320 0 510 240 0 0 1"
T = "0 -1 0 1 1 0 0 2 0 0 1 3 0 0 0 1"
R_T = "0 -1 0 1 0 0 0 0 1 1 2 3"


def write(folder: Path, *lines: str) -> Path:
    path = folder / "pairs_with_gt.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("line", "turns"),
    [
        (f"a.jpg b.jpg 1 3 {K} {K} {T}", (1, 3)),
        (f"a.jpg b.jpg {K} {K} {T}", (0, 0)),
        (f"a.jpg b.jpg 0 2 {K} {K} {R_T}", (0, 2)),
        (f"a.jpg b.jpg {K} {K} {R_T}", (0, 0)),
    ],
)
def test_all_forms_give_the_same_cameras(tmp_path: Path, line: str, turns: tuple[int, int]) -> None:
    (pair,) = read_posed_pairs(write(tmp_path, "# a comment", "", line))
    assert (pair.name0, pair.name1) == ("a.jpg", "b.jpg")
    assert (pair.quarters0, pair.quarters1) == turns
    assert pair.camera0.K.tolist() == [[500, 0, 320], [0, 510, 240], [0, 0, 1]]
    np.testing.assert_allclose(pair.pose_0to1.R, [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-12)
    assert pair.pose_0to1.t.tolist() == [1, 2, 3]


def test_rounded_rotations_become_rotations(tmp_path: Path) -> None:
    rounded = "0.78593 -0.35128 0.50884 0 0.39215 0.91944 0.02904 0 -0.47805 0.17672 0.86037 0"
    (pair,) = read_posed_pairs(write(tmp_path, f"a b {K} {K} {rounded} 0 0 0 1"))
    np.testing.assert_allclose(pair.pose_0to1.R @ pair.pose_0to1.R.T, np.eye(3), atol=1e-12)
    assert abs(pair.pose_0to1.R[0] - (0.78593, -0.35128, 0.50884)).max() < 1e-4


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a b 1 2 3", "found 5"),
        (f"a b {K} {K} {T} x", "could not convert"),
        (f"a b 0 4 {K} {K} {T}", "rot0 and rot1"),
        (f"a b {K} {K.replace('500', '-5')} {T}", "K1 needs the form"),
        (f"a b {K.replace('500 0', '500 1')} {K} {T}", "K0 needs the form"),
        (f"a b {K} {K} {T.replace('0 -1', '2 -1')}", "rotation matrix"),
        (f"a b {K} {K} {T[:-1]}2", "last row"),
        (f"a b {K} {K} {T.replace('3', 'nan')}", "finite"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(ValueError, match=rf"line 2: .*{message}"):
        read_posed_pairs(write(tmp_path, f"a b {K} {K} {T}", line))


def test_missing_and_empty_lists(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no list of pairs"):
        read_posed_pairs(tmp_path / "pairs.txt")
    with pytest.raises(ValueError, match="at least one pair"):
        read_posed_pairs(write(tmp_path, ""))


def test_lists_are_found(tmp_path: Path) -> None:
    assert find_pairs_file(tmp_path) is None
    other = tmp_path / "scannet_test_pairs_with_gt.txt"
    other.touch()
    assert find_pairs_file(tmp_path) == other
    (tmp_path / "b_pairs_with_gt.txt").touch()
    with pytest.raises(ValueError, match="several lists"):
        find_pairs_file(tmp_path)
    usual = write(tmp_path)
    assert find_pairs_file(tmp_path) == usual


def test_images_lie_in_the_folder_or_in_images(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").touch()
    assert find_image(tmp_path, "a.jpg") == tmp_path / "images" / "a.jpg"
    (tmp_path / "a.jpg").touch()
    assert find_image(tmp_path, "a.jpg") == tmp_path / "a.jpg"
    with pytest.raises(ValueError, match=r"no image b\.jpg"):
        find_image(tmp_path, "b.jpg")
