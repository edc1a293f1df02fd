import numpy as np
import pytest
import torch
from rendered_edges import distance_to_edge, half_plane

from gluestick.checks import ShapeError
from gluestick.features.lines.edge_profiles import (
    gray_gradient,
    gray_values,
    refine_lines,
    root_contrast,
)


def test_gray_values_are_luma() -> None:
    image = torch.eye(3)[:, None, :]  # one red, one green and one blue pixel
    assert gray_values(image).tolist() == [[76, 150, 29]]
    assert gray_values(torch.ones(3, 2, 4)).tolist() == [[255] * 4] * 2


def test_gray_values_need_three_channels() -> None:
    with pytest.raises(ShapeError, match="image needs the shape"):
        gray_values(torch.zeros(1, 4, 4))


def test_gradient_of_a_ramp() -> None:
    ramp = np.tile(np.arange(0, 200, 10, dtype=np.uint8), (6, 1))
    along_x, along_y = gray_gradient(ramp)
    torch.testing.assert_close(along_x[:, 1:-1], torch.full((6, 18), 10 / 255))
    assert not along_y.any()


def test_contrast_grows_with_the_step() -> None:
    line = np.array([[[48.0, 10], [48, 80]]], np.float32)
    weak, strong = (
        root_contrast(gray_gradient(gray_values(half_plane(48.0, dark=0.2, bright=bright))), line)
        for bright in (0.3, 0.6)
    )
    np.testing.assert_allclose(strong / weak, 2.0, rtol=0.02)
    # the step of 0.4 is spread over two pixels by the Sobel operator
    np.testing.assert_allclose(strong**2, 0.2, rtol=0.1)


def test_contrast_of_nothing() -> None:
    gradient = gray_gradient(np.full((20, 20), 90, np.uint8))
    assert root_contrast(gradient, np.zeros((0, 2, 2), np.float32)).shape == (0,)
    assert root_contrast(gradient, np.array([[[2.0, 2], [15, 9]]])).tolist() == [0]


@pytest.mark.parametrize("angle", [0.0, 0.4, -0.7, np.pi / 2])
@pytest.mark.parametrize("bright", [0.8, 0.0])
def test_refinement_finds_the_edge(angle: float, bright: float) -> None:
    position = 47.5 * (np.cos(angle) + np.sin(angle)) + 0.23
    gray = gray_values(half_plane(position, angle=angle, dark=0.4, bright=bright))
    along = np.array([-np.sin(angle), np.cos(angle)])
    across = np.array([np.cos(angle), np.sin(angle)])
    ends = position * across + (47.5 * np.array([1, 1]) @ along) * along
    exact = np.stack([ends - 25 * along, ends + 25 * along])
    off = exact + np.array([[0.9], [-0.6]]) * across
    refined = refine_lines(gray_gradient(gray), off[None].astype(np.float32))
    assert np.abs(distance_to_edge(off, position, angle=angle)).max() > 0.8
    assert np.abs(distance_to_edge(refined, position, angle=angle)).max() < 0.07
    np.testing.assert_allclose((refined[0] - exact) @ along, 0, atol=0.05)


def test_refinement_moves_endpoints_by_1_5_px_at_most() -> None:
    gray = np.random.default_rng(0).integers(0, 256, (60, 60), dtype=np.uint8)
    lines = np.random.default_rng(1).uniform(5, 55, (50, 2, 2)).astype(np.float32)
    moved = refine_lines(gray_gradient(gray), lines) - lines
    assert np.linalg.norm(moved, axis=2).max() <= 1.5 + 1e-4


def test_refinement_of_nothing_changes_nothing() -> None:
    gradient = gray_gradient(np.full((20, 20), 90, np.uint8))
    lines = np.array([[[2.0, 2], [15, 9]]], np.float32)
    np.testing.assert_array_equal(refine_lines(gradient, lines), lines)
    assert refine_lines(gradient, lines[:0]).shape == (0, 2, 2)
