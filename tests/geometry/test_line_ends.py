import numpy as np
import pytest

from gluestick.geometry.line_ends import ends_reversed


@pytest.mark.parametrize("angle", [0, 40, 90, 135, 180, 250])
def test_ends_are_told_apart_whatever_the_turn(angle):
    rng = np.random.default_rng(0)
    turn = 0.7 * np.exp(1j * np.deg2rad(angle))
    mapped = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    points0, lines0 = rng.uniform(0, 500, (60, 2)), rng.uniform(0, 500, (20, 2, 2))
    points1 = points0 @ mapped.T + [900, 30] + rng.normal(0, 1, points0.shape)
    lines1 = lines0 @ mapped.T + [900, 30]
    swapped = rng.random(20) < 0.5
    lines1[swapped] = lines1[swapped, ::-1]
    assert np.array_equal(ends_reversed(lines0, lines1, points0, points1), swapped)


def test_parts_of_an_image_may_turn_differently():
    rng = np.random.default_rng(1)
    shift = np.array([1000, 0])
    left, right = rng.uniform(0, 100, (30, 2)), rng.uniform(0, 100, (30, 2)) + shift
    turned = [2050, 50] - right
    line = np.array([[40.0, 40], [60, 60]])
    lines0 = np.stack([line, line + shift])
    lines1 = np.stack([line, [2050, 50] - lines0[1]])
    points0, points1 = np.concatenate([left, right]), np.concatenate([left, turned])
    assert not ends_reversed(lines0, lines1, points0, points1).any()
    assert ends_reversed(lines0, lines1[:, ::-1], points0, points1).all()


def test_without_points_directions_are_compared_as_they_are():
    line, none = np.array([[[0.0, 0], [10, 0]]]), np.zeros((0, 2))
    assert ends_reversed(line, line + 3, none, none).tolist() == [False]
    assert ends_reversed(line, line[:, ::-1], none, none).tolist() == [True]
    assert ends_reversed(line[:0], line[:0], none, none).shape == (0,)
