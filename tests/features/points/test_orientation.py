import numpy as np
import pytest

from gluestick.features.points.orientation import dominant_orientations


@pytest.mark.parametrize("angle", [0, 30, 90, 137, 200, 355])
def test_a_ramp_increases_along_its_direction(angle):
    y, x = np.mgrid[:61, :61] - 30.0
    direction = np.radians(angle)
    gray = (120 + 2 * (x * np.cos(direction) + y * np.sin(direction))).round().astype(np.uint8)
    found = dominant_orientations(gray, np.array([[30.0, 30.0]]), sigma=2.0)
    assert abs((found[0] - angle + 180) % 360 - 180) < 5


def test_one_pixel_flat_and_border_are_finite():
    assert dominant_orientations(np.zeros((1, 1), np.uint8), np.zeros((1, 2)), sigma=2.0) == [0]
    corners = np.array([[0.0, 0.0], [19.0, 9.0]])
    found = dominant_orientations(np.full((10, 20), 7, np.uint8), corners, sigma=2.0)
    assert np.isfinite(found).all()


def test_no_positions():
    found = dominant_orientations(np.zeros((5, 5), np.uint8), np.zeros((0, 2)), sigma=2.0)
    assert found.shape == (0,)
