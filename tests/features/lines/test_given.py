from pathlib import Path

import numpy as np
import pytest
import torch

from gluestick.features.lines.given import check_lines, load_lines

SEGMENTS = [[[1, 2], [4, 6]], [[0, 0], [9, 0]]]


@pytest.mark.parametrize(
    "lines",
    [
        SEGMENTS,
        np.array(SEGMENTS),
        np.array(SEGMENTS, np.uint8).reshape(2, 4),
        np.array(SEGMENTS, np.float16),
        np.array(SEGMENTS, ">f8"),
        torch.tensor(SEGMENTS),
        torch.tensor(SEGMENTS, dtype=torch.bfloat16).reshape(2, 4),
        torch.tensor(SEGMENTS, dtype=torch.float64, requires_grad=True),
    ],
)
def test_any_numbers_in_either_shape(lines) -> None:
    checked = check_lines(lines)
    assert checked.lines.tolist() == SEGMENTS
    torch.testing.assert_close(checked.scores, torch.tensor([5.0, 9.0]).sqrt())
    assert checked.lines.dtype == checked.scores.dtype == torch.float32


@pytest.mark.parametrize("lines", [[], np.zeros((0, 4)), torch.zeros(0, 2, 2)])
def test_no_lines(lines) -> None:
    checked = check_lines(lines)
    assert checked.lines.shape == (0, 2, 2)
    assert checked.scores.shape == (0,)


def test_one_line_with_a_score() -> None:
    checked = check_lines([[1.0, 2, 3, 4]], scores=[0.25])
    assert checked.lines.tolist() == [[[1, 2], [3, 4]]]
    assert checked.scores.tolist() == [0.25]


def test_lines_of_no_length_are_dropped_with_their_scores() -> None:
    checked = check_lines([[1, 1, 1, 1], [0, 0, 5, 0], [2, 3, 2, 3]], scores=[3, 2, 1])
    assert checked.lines.tolist() == [[[0, 0], [5, 0]]]
    assert checked.scores.tolist() == [2]


def test_the_input_is_not_shared() -> None:
    lines = np.array(SEGMENTS, np.float32)
    checked = check_lines(lines)
    lines[:] = 0
    assert checked.lines.tolist() == SEGMENTS


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (np.zeros((3, 2)), r"lines need the shape \[L, 2, 2\] or \[L, 4\].*found \[3, 2\]"),
        (np.zeros(4), r"found \[4\]"),
        (np.zeros((1, 5, 2, 2)), r"found \[1, 5, 2, 2\]"),
        (np.zeros((0, 3)), r"found \[0, 3\]"),
        ([[0, 0, np.nan, 1]], "lines need finite numbers"),
        ([[0, 0, np.inf, 1]], "lines need finite numbers"),
        ([[0, 0, 1e300, 1]], "lines need finite numbers"),
        ([[1, 2, 3, 4], [1, 2]], "lines need a regular array of numbers"),
        ([["a", "b", "c", "d"]], "lines need to be real numbers"),
        (np.zeros((1, 4), complex), "lines need to be real numbers"),
        (np.array([[None] * 4]), "lines need to be real numbers"),
        (torch.zeros(1, 4, dtype=torch.complex64), "lines need to be real numbers"),
        (torch.zeros(1, 4, dtype=torch.bool), "lines need to be real numbers"),
    ],
)
def test_what_is_not_a_set_of_lines(lines, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_lines(lines)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([1.0], r"one number per line, \[2\], found \[1\]"),
        ([[1.0, 2.0]], r"one number per line, \[2\], found \[1, 2\]"),
        ([1.0, -2.0], "line scores need to be at least 0, found -2"),
        ([1.0, np.nan], "line scores need finite numbers"),
    ],
)
def test_what_are_not_scores(scores, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_lines(SEGMENTS, scores=scores)


def test_a_file(tmp_path: Path) -> None:
    np.save(tmp_path / "lines.npy", np.array(SEGMENTS, np.int16))
    assert load_lines(tmp_path / "lines.npy").lines.tolist() == SEGMENTS
    assert load_lines(str(tmp_path / "lines.npy")).scores.shape == (2,)


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    def fails(content: bytes | None, message: str) -> None:
        path = tmp_path / "lines.npy"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ValueError, match=message) as caught:
            load_lines(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)

    np.save(tmp_path / "good.npy", np.zeros((2, 4)))
    good = (tmp_path / "good.npy").read_bytes()
    np.save(tmp_path / "objects.npy", np.array([[{}] * 4]), allow_pickle=True)
    np.savez(tmp_path / "several.npz", np.zeros((2, 4)))
    np.save(tmp_path / "points.npy", np.zeros((2, 3)))
    fails(None, "does not exist")
    fails(b"", "is not a .npy array")
    fails(b"x1 y1 x2 y2\n0 0 5 5\n", "is not a .npy array")
    fails(good[:-9], "is not a .npy array")
    fails(good[:20], "is not a .npy array")
    fails((tmp_path / "objects.npy").read_bytes(), "is not a .npy array")
    fails((tmp_path / "several.npz").read_bytes(), "is not a .npy array")
    fails((tmp_path / "points.npy").read_bytes(), r"lines need the shape")
    with pytest.raises(ValueError, match="cannot be read"):
        load_lines(tmp_path)
