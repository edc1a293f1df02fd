import numpy as np
import pytest
import torch

from gluestick.geometry.lines import (
    clip_to_image,
    distances_from_lines,
    line_lengths,
    line_normals,
    lines_inside_mask,
    points_on_lines,
    turned_by_90_degrees,
)

LINES = np.array([[[0.0, 0], [3, 4]], [[5, 5], [5, 1]], [[2, 3], [12, 3]]])


@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy])
def test_lengths_normals_and_points(convert) -> None:
    lines = convert(LINES)
    assert line_lengths(lines).tolist() == [5, 4, 10]
    np.testing.assert_allclose(line_normals(lines), [[-0.8, 0.6], [1, 0], [0, 1]], atol=1e-12)
    points = points_on_lines(lines, convert(np.array([0.0, 0.5, 1.0])))
    assert points.shape == (3, 3, 2)
    assert points[0].tolist() == [[0, 0], [1.5, 2], [3, 4]]
    assert isinstance(points, type(lines))


def test_batched_and_empty_lines() -> None:
    batch = torch.from_numpy(LINES).expand(4, 3, 2, 2)
    assert line_lengths(batch).shape == (4, 3)
    assert line_normals(batch).shape == (4, 3, 2)
    none = np.zeros((0, 2, 2))
    assert line_lengths(none).shape == (0,)
    assert line_normals(none).shape == (0, 2)
    assert points_on_lines(none, np.zeros(5)).shape == (0, 5, 2)
    assert clip_to_image(none, image_size=(4, 4)).shape == (0, 2, 2)
    assert lines_inside_mask(none, np.ones((4, 4), bool)).shape == (0,)


def test_lengths_have_gradients() -> None:
    lines = torch.from_numpy(LINES).requires_grad_()
    assert torch.autograd.gradcheck(line_lengths, lines)


def test_a_line_without_length_has_a_gradient() -> None:
    point = torch.ones(1, 2, 2, requires_grad=True)
    line_lengths(point).sum().backward()
    assert point.grad.tolist() == [[[0, 0], [0, 0]]]


@pytest.mark.parametrize("convert", [np.asarray, torch.tensor])
def test_x_turns_to_y_and_y_to_minus_x(convert) -> None:
    turned = turned_by_90_degrees(convert([[1.0, 0.0], [0.0, 1.0], [2.0, 3.0]]))
    assert turned.tolist() == [[0, 1], [-1, 0], [-3, 2]]


def test_distances_from_lines_end_at_the_endpoints() -> None:
    lines = torch.tensor([[[0.0, 0.0], [10.0, 0.0]], [[2.0, 2.0], [2.0, 2.0]]])
    points = torch.tensor([[4.0, 3.0], [13.0, 4.0], [-5.0, 0.0]])
    expected = [[3.0, 5.0, 5.0], [5**0.5, 125**0.5, 53**0.5]]
    torch.testing.assert_close(distances_from_lines(points, lines), torch.tensor(expected))
    reversed_lines = distances_from_lines(points, lines.flip(-2))
    torch.testing.assert_close(reversed_lines, torch.tensor(expected))
    assert distances_from_lines(points[:0], lines).shape == (2, 0)
    assert distances_from_lines(points, lines[:0]).shape == (0, 3)


def test_clipping_stays_on_the_line() -> None:
    lines = np.array(
        [
            [[-10.0, 5], [30, 25]],  # enters at x = 0, leaves at x = 19
            [[3, 4], [8, 9]],  # inside
            [[8, 30], [8, -2]],  # vertical, backwards
            [[-0.3, 0], [10, 0]],
        ]
    )
    clipped = clip_to_image(lines, image_size=(20, 20))
    expected = [
        [[0, 10], [18, 19]],
        [[3, 4], [8, 9]],
        [[8, 19], [8, 0]],
        [[0, 0], [10, 0]],
    ]
    np.testing.assert_allclose(clipped, expected, atol=1e-12)


def test_lines_inside_are_not_touched_by_clipping() -> None:
    lines = np.random.default_rng(0).uniform(0, 19, (200, 2, 2)).astype(np.float32)
    clipped = clip_to_image(lines, image_size=(20, 20))
    assert clipped.dtype == np.float32
    np.testing.assert_array_equal(clipped, lines)


def test_what_lies_outside_becomes_a_point_in_the_image() -> None:
    outside = np.array([[[-9.0, 3], [-2, 8]], [[30, -5], [30, 25]], [[-5, 4], [4, -5]]])
    clipped = clip_to_image(outside, image_size=(20, 20))
    assert line_lengths(clipped).tolist() == [0, 0, 0]
    assert clipped.min() >= 0
    assert clipped.max() <= 19


def test_mask_has_to_cover_every_pixel() -> None:
    mask = np.ones((40, 60), dtype=bool)
    mask[20, 31] = False
    lines = np.array(
        [
            [[5.0, 20], [55, 20]],
            [[5, 19.4], [55, 19.4]],
            [[5, 19.6], [55, 19.6]],
            [[31, 0], [31, 39]],
            [[31.6, 0], [31.6, 39]],
            [[5, 20], [30.4, 20]],
            [[31, 20], [31, 20]],
            [[-1, 5], [10, 5]],
            [[0, 39], [0, 40]],
        ]
    )
    inside = lines_inside_mask(lines, mask)
    assert inside.tolist() == [False, True, False, False, True, True, False, False, False]
