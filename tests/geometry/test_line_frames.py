import numpy as np
import pytest
import torch

from gluestick.geometry.line_frames import LineFrames
from gluestick.geometry.lines import line_normals

LINES = np.array([[[10.0, 10.0], [10.0, 40.0]], [[0.0, 0.0], [6.0, 8.0]]])
POINTS = np.array([[10.0, 10.0], [13.0, 45.0], [0.0, 0.0]])
ALONG = np.array([[0.0, 35.0, -10.0], [14.0, 43.8, 0.0]])  # [M, N] px
ACROSS = np.array([[0.0, -3.0, 10.0], [-2.0, 16.6, 0.0]])


@pytest.fixture(params=[np.asarray, torch.from_numpy], ids=["numpy", "torch"])
def convert(request: pytest.FixtureRequest):
    return request.param


def test_axes_of_a_frame(convert) -> None:
    frames = LineFrames.of(convert(LINES))
    assert frames.origin.tolist() == [[10, 10], [0, 0]]
    assert frames.length.tolist() == [30, 10]
    np.testing.assert_allclose(frames.direction, [[0, 1], [0.6, 0.8]], atol=1e-15)
    np.testing.assert_array_equal(frames.normal, line_normals(convert(LINES)))


def test_coordinates_of_the_points_of_each_line(convert) -> None:
    x, y = convert(POINTS[:, 0].copy()), convert(POINTS[:, 1].copy())
    along, across = LineFrames.of(convert(LINES)).coordinates(x, y)
    np.testing.assert_allclose(along, ALONG, atol=1e-12)
    np.testing.assert_allclose(across, ACROSS, atol=1e-12)
    assert isinstance(along, type(x))


def test_coordinates_of_all_points_in_all_frames(convert) -> None:
    batch = np.stack([LINES, LINES + 5, LINES - 7])
    points = np.stack([POINTS, POINTS + 5, POINTS - 7])
    along, across = LineFrames.of(convert(batch)).coordinates_of_all(convert(points))
    for row in range(3):
        np.testing.assert_allclose(along[row], ALONG.T, atol=1e-12)
        np.testing.assert_allclose(across[row], ACROSS.T, atol=1e-12)


def test_equations_say_the_same(convert) -> None:
    frames = LineFrames.of(convert(LINES))
    homogeneous = convert(np.concatenate([POINTS, np.ones((3, 1))], axis=1))
    for equation, expected in zip(frames.equations(), (ALONG, ACROSS), strict=True):
        np.testing.assert_allclose(equation @ homogeneous.T, expected, atol=1e-12)
    fractions = frames.fraction_equation() @ homogeneous.T
    np.testing.assert_allclose(fractions, ALONG / [[30], [10]], atol=1e-12)


def test_lengths_can_be_given(convert) -> None:
    frames = LineFrames.of(convert(LINES), length=convert(np.array([60.0, 10.0])))
    np.testing.assert_allclose(frames.direction, [[0, 0.5], [0.6, 0.8]])


def test_some_frames_are_selected(convert) -> None:
    frames = LineFrames.of(convert(LINES)).select([1, 1, 0])
    assert frames.length.tolist() == [10, 10, 30]
    assert frames.origin.tolist() == [[0, 0], [0, 0], [10, 10]]


def test_a_line_without_length_has_no_coordinates() -> None:
    frames = LineFrames.of(torch.ones(1, 2, 2))
    along, across = frames.coordinates(torch.ones(1, 3), torch.ones(1, 3))
    assert along.isnan().all()
    assert across.isnan().all()


@pytest.mark.parametrize(("lines", "points"), [(0, 0), (0, 3), (2, 0)])
def test_without_lines_or_points(convert, lines: int, points: int) -> None:
    frames = LineFrames.of(convert(LINES[:lines]))
    for values in frames.coordinates_of_all(convert(POINTS[:points])):
        assert values.shape == (points, lines)
    empty = convert(np.zeros((lines, points)))
    for values in frames.coordinates(empty, empty):
        assert values.shape == (lines, points)


def test_coordinates_have_gradients() -> None:
    lines = torch.from_numpy(LINES).requires_grad_()
    points = torch.from_numpy(POINTS).requires_grad_()

    def coordinates(lines: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        return torch.stack(LineFrames.of(lines).coordinates_of_all(points))

    assert torch.autograd.gradcheck(coordinates, (lines, points))
