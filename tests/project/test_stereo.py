import numpy as np
import pytest
import torch

from gluestick.pipeline import PointLineMatcher

skimage_data = pytest.importorskip("skimage.data")


def test_quality_under_parallax() -> None:
    """A rectified stereo pair with a known disparity at almost every pixel."""
    left, right, disparity = skimage_data.stereo_motorcycle()
    wireframe0, wireframe1, matches = PointLineMatcher.from_pretrained()(left, right)

    points0, points1 = (
        points.double().numpy() for points in matches.matched_keypoints(wireframe0, wireframe1)
    )
    column, row = points0.round().astype(int).T
    expected = points0 - np.stack([disparity[row, column], np.zeros(len(row))], axis=1)
    known = np.isfinite(expected).all(axis=1)
    error = np.linalg.norm(expected[known] - points1[known], axis=1)
    assert known.sum() >= 300
    assert np.mean(error < 3) > 0.9

    lines0, lines1 = matches.matched_lines(wireframe0, wireframe1)
    height = torch.stack([lines0[..., 1], lines1[..., 1]])
    shared = height.amax(-1).amin(0) - height.amin(-1).amax(0)
    steep = (height.amax(-1) - height.amin(-1)).amin(0) > 10
    assert steep.sum() >= 20
    assert (shared[steep] > 0).double().mean() > 0.8
