import cv2
import numpy as np
import pytest

from gluestick.visualization.overlay import draw_blend, draw_epipolar_lines

SIDEWAYS = np.array([[0.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""The fundamental matrix of a camera that moves along x: rows stay rows."""


def textured(height: int, width: int) -> np.ndarray:
    small = np.random.default_rng(0).integers(30, 226, (height // 12, width // 12, 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def test_two_crops_are_blended_into_the_whole() -> None:
    whole = textured(240, 480)
    H_0to1 = np.array([[1.0, 0, -180], [0, 1, 0], [0, 0, 1]])
    blend = draw_blend(whole[:, :300], whole[:, 180:], H_0to1)
    assert blend.shape == whole.shape
    inner = np.s_[10:-10, 10:-10]
    assert np.corrcoef(blend[inner].ravel(), whole[inner].ravel())[0, 1] > 0.97


def test_large_images_are_blended_smaller() -> None:
    whole = textured(480, 3600)
    H_0to1 = np.array([[1.0, 0, -400], [0, 1, 0], [0, 0, 1]])
    blend = draw_blend(whole[:, :3200], whole[:, 400:], H_0to1)
    assert blend.shape == (240, 1800, 3)
    small = cv2.resize(whole, (1800, 240), interpolation=cv2.INTER_AREA)
    inner = np.s_[10:-10, 10:-10]
    assert np.corrcoef(blend[inner].ravel(), small[inner].ravel())[0, 1] > 0.95


def test_epipolar_lines_are_drawn_where_they_are() -> None:
    black = np.zeros((300, 400), np.uint8)
    points = np.array([[100.0, 150]])
    picture = draw_epipolar_lines(
        black, black, points, np.array([[160.0, 150]]), SIDEWAYS, width=1200
    )
    left = picture[:448, :597].astype(int)
    vivid = np.ptp(left, axis=2) > 100
    row = round((150 + 0.5) * 597 / 400 - 0.5)
    assert vivid[row, 5:-5].mean() > 0.95  # the dot has a dark edge
    assert not vivid[: row - 12].any()
    assert not vivid[row + 12 :].any()


def test_outliers_are_not_chosen() -> None:
    black = np.zeros((300, 400), np.uint8)
    points = np.array([[100.0, 50], [300, 250]])
    inliers = np.array([True, False])
    both = draw_epipolar_lines(black, black, points, points, SIDEWAYS)
    one = draw_epipolar_lines(black, black, points, points, SIDEWAYS, inliers=inliers)
    lower = np.s_[320:580]
    assert (np.ptp(both[lower].astype(int), axis=2) > 100).any()
    assert not (np.ptp(one[lower].astype(int), axis=2) > 100).any()


def test_no_point_gives_the_images_alone() -> None:
    black = np.zeros((60, 80), np.uint8)
    empty = np.zeros((0, 2))
    picture = draw_epipolar_lines(black, black, empty, empty, SIDEWAYS, names=("a", "b"))
    assert picture.shape[1:] == (1600, 3)


def test_other_shapes_are_refused() -> None:
    black = np.zeros((60, 80), np.uint8)
    with pytest.raises(ValueError, match="points1"):
        draw_epipolar_lines(black, black, np.zeros((2, 2)), np.zeros((2, 3)), SIDEWAYS)
