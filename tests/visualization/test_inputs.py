import numpy as np
import pytest
import torch

from gluestick.visualization.inputs import (
    to_coordinates,
    to_inliers,
    to_pairs,
    to_rgb,
    to_scores,
)


def test_images_of_all_kinds_agree():
    gray = np.array([[0, 128, 255], [64, 32, 16]], dtype=np.uint8)
    expected = np.stack([gray] * 3, axis=-1)
    tensor = torch.from_numpy(gray / 255.0)
    rgba = np.concatenate([expected, np.zeros((2, 3, 1), np.uint8)], axis=2)
    for image in (
        gray,
        gray[..., None],
        expected,
        rgba,
        expected / 255.0,
        (expected / 255.0).astype(np.float32),
        tensor[None],
        tensor.expand(3, 2, 3),
        tensor.float().expand(3, 2, 3).requires_grad_(),
    ):
        found = to_rgb(image)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, expected)


def test_float_images_are_clipped():
    assert to_rgb(np.array([[-1.0, 2.0, np.nan]]))[0, :, 0].tolist() == [0, 255, 0]


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((2, 3, 5), np.uint8), r"\[H, W, 3\]"),
        (np.zeros((0, 3), np.uint8), r"found \[0, 3, 1\]"),
        (np.zeros((2, 3), np.uint16), "found uint16"),
        (torch.zeros(2, 3), r"\[3, H, W\]"),
        (torch.zeros(4, 3, 3), r"\[3, H, W\]"),
    ],
)
def test_wrong_images_are_rejected(image, message):
    with pytest.raises(ValueError, match=message):
        to_rgb(image)


def test_coordinates():
    assert to_coordinates("k", torch.zeros(3, 2, dtype=torch.bfloat16)).shape == (3, 2)
    assert to_coordinates("l", np.zeros((0, 2, 2)), lines=True).shape == (0, 2, 2)
    for values, lines in (
        (np.zeros((3, 3)), False),
        (np.zeros((3, 4)), True),
        (np.zeros(2), False),
    ):
        with pytest.raises(ValueError, match="needs the shape"):
            to_coordinates("k", values, lines=lines)
    with pytest.raises(ValueError, match="found NaN"):
        to_coordinates("k", [[0, np.inf]])


def test_pairs():
    pairs = to_pairs("m", torch.tensor([2, -1, 0]), count0=3, count1=3)
    assert pairs.tolist() == [[0, 2], [2, 0]]
    assert to_pairs("m", [], count0=0, count1=0).shape == (0, 2)
    for matches, message in (
        ([0, 1], r"\[3\]"),
        ([0, 1, 3], "from -1 to 2"),
        ([-2, 0, 0], "from -1 to 2"),
        ([0.0, 1, 2], "integers"),
    ):
        with pytest.raises(ValueError, match=message):
            to_pairs("m", matches, count0=3, count1=3)


def test_inliers_and_scores():
    assert to_inliers("i", None, count=3) is None
    assert to_inliers("i", torch.tensor([1, 0]), count=2).tolist() == [True, False]
    assert to_scores("s", torch.ones(2), count=2).tolist() == [1, 1]
    with pytest.raises(ValueError, match="each of the 3 matches"):
        to_inliers("i", [True], count=3)
    with pytest.raises(ValueError, match="True and False"):
        to_inliers("i", [0.5], count=1)
    with pytest.raises(ValueError, match=r"\[3\]"):
        to_scores("s", [1], count=3)
    with pytest.raises(ValueError, match="NaN"):
        to_scores("s", [np.nan], count=1)
