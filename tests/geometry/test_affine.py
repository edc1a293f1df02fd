import numpy as np
import pytest

from gluestick.geometry.affine import apply, as_rows, compose, inverse, resizing, stretch
from gluestick.geometry.pixels import to_resized

POINTS = np.array([[0.0, 0.0], [10.0, -3.5], [200.25, 99.0]])


def random_map(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(2, 3))


def test_composition_applies_the_inner_map_first() -> None:
    outer, inner = random_map(0), random_map(1)
    expected = apply(outer, apply(inner, POINTS))
    np.testing.assert_allclose(apply(compose(outer, inner), POINTS), expected)


def test_the_inverse_brings_points_back() -> None:
    affine = random_map(2)
    np.testing.assert_allclose(apply(inverse(affine), apply(affine, POINTS)), POINTS, atol=1e-9)
    with pytest.raises(np.linalg.LinAlgError):
        inverse(np.zeros((2, 3)))


def test_resizing_keeps_the_corners() -> None:
    scale = (0.5, 3.0)
    np.testing.assert_allclose(apply(resizing(scale), POINTS), to_resized(POINTS, scale=scale))


def test_rows_are_numbers() -> None:
    rows = as_rows(np.arange(6.0).reshape(2, 3))
    assert rows == ((0.0, 1.0, 2.0), (3.0, 4.0, 5.0))
    assert type(rows[0][0]) is float


def test_stretch() -> None:
    angle = np.radians(30)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    assert stretch(turn @ np.diag([6.0, 1.5]) @ turn) == pytest.approx((3.0, 4.0))
    assert stretch(np.array([[1.0, 0, 5], [0, 1, 7]])) == pytest.approx((1.0, 1.0))
    assert stretch(np.zeros((2, 2))) == (0.0, float("inf"))
