import numpy as np
import pytest
import torch

from gluestick.geometry.points import (
    line_deviation,
    normalizing_transform,
    spread,
    to_homogeneous,
)


def test_to_homogeneous_keeps_the_type():
    array = to_homogeneous(np.zeros((2, 0, 3), dtype=np.float32))
    assert array.shape == (2, 0, 4)
    assert array.dtype == np.float32
    tensor = to_homogeneous(torch.tensor([[2.0, 3.0]], requires_grad=True))
    assert tensor.tolist() == [[2, 3, 1]]
    assert tensor.requires_grad


def test_normalizing_transform_centres_and_scales():
    points = np.random.default_rng(0).uniform(0, 600, (101, 2))
    T = normalizing_transform(points, scale=spread(points))
    normalized = (to_homogeneous(points) @ T.T)[:, :2]
    np.testing.assert_allclose(np.median(normalized, axis=0), 0, atol=1e-12)
    assert spread(normalized) == pytest.approx(1)


def test_spread_ignores_single_outliers_and_survives_repetition():
    points = np.array([[0.0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])
    assert spread(points) == pytest.approx(1)
    assert spread(np.vstack([points, [[1e9, 1e9]]])) < 3
    repeated = np.array([[0.0, 0]] * 9 + [[10, 0]])
    assert spread(repeated) == pytest.approx(1)
    assert spread(np.ones((4, 2))) == 0


def test_line_deviation():
    assert line_deviation(np.array([[0.0, 1], [1, -1], [2, -1], [3, 1]])) == pytest.approx(1)
    assert line_deviation(np.array([[0.0, 0], [1, 2], [2, 4]])) == pytest.approx(0, abs=1e-12)
    assert line_deviation(np.zeros((0, 2))) == 0
