import numpy as np
import pytest
import torch

from gluestick.geometry.homography import (
    homography_corner_error,
    transform_lines,
    transform_points,
)

H = np.array([[2.0, 0, 1], [0, 3, -1], [0.5, 0, 1]])


def test_transform_points():
    points = np.array([[0.0, 0], [2, 4]])
    np.testing.assert_allclose(transform_points(H, points), [[1, -1], [2.5, 5.5]])


@pytest.mark.parametrize("number", [0, 1, 5])
def test_batches_equal_the_parts(number):
    rng = np.random.default_rng(0)
    batch = np.eye(3) + rng.normal(0, 0.01, (3, 3, 3))
    points, lines = rng.uniform(0, 9, (3, number, 2)), rng.uniform(0, 9, (3, number, 2, 2))
    mapped_points, mapped_lines = transform_points(batch, points), transform_lines(batch, lines)
    assert mapped_points.shape == points.shape
    assert mapped_lines.shape == lines.shape
    for i in range(3):
        np.testing.assert_allclose(mapped_points[i], transform_points(batch[i], points[i]))
        for end in range(2):
            expected = transform_points(batch[i], lines[i, :, end])
            np.testing.assert_allclose(mapped_lines[i, :, end], expected)


@pytest.mark.filterwarnings("error")
def test_points_at_infinity_are_not_finite():
    assert not np.isfinite(transform_points(H, np.array([[-2.0, 1]]))).any()


def test_tensors_equal_arrays_and_have_gradients():
    points = np.random.default_rng(0).uniform(0, 9, (4, 2))
    tensor = torch.tensor(points, requires_grad=True)
    mapped = transform_points(torch.tensor(H), tensor)
    np.testing.assert_allclose(mapped.detach().numpy(), transform_points(H, points))
    assert torch.autograd.gradcheck(lambda p: transform_points(torch.tensor(H), p), tensor)


def test_corner_error_of_a_shift_and_of_a_scale():
    shift = np.array([[1.0, 0, 3], [0, 1, 4], [0, 0, 1]])
    assert homography_corner_error(shift, np.eye(3), image_size=(640, 480)) == pytest.approx(5)
    scale = np.diag([2.0, 2, 1])
    expected = (0 + 30 + 50 + 40) / 4
    assert homography_corner_error(scale, np.eye(3), image_size=(30, 40)) == pytest.approx(expected)


def test_corner_error_does_not_depend_on_scale_type_or_batch():
    other = H + 0.01
    single = homography_corner_error(-5 * other, H, image_size=(64, 48))
    batch = homography_corner_error(
        torch.tensor(np.stack([other, H]), dtype=torch.float64),
        torch.tensor(H).expand(2, 3, 3),
        image_size=(64, 48),
    )
    assert batch.tolist() == pytest.approx([float(single), 0])
