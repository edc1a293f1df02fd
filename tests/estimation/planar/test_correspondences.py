import numpy as np
import pytest

from gluestick.estimation.planar.correspondences import (
    Correspondences,
    adjugate,
    symmetric_errors,
    transfer_errors,
)

NO_LINES = np.zeros((0, 2, 2))
NO_POINTS = np.zeros((0, 2))


def lines_only(line0, line1):
    lines0, lines1 = (np.array([line], dtype=float) for line in (line0, line1))
    return Correspondences.from_arrays(NO_POINTS, NO_POINTS, lines0, lines1)


def test_adjugate_is_inverse_times_determinant():
    H = np.random.default_rng(0).normal(size=(5, 3, 3))
    expected = np.linalg.inv(H) * np.linalg.det(H)[:, None, None]
    np.testing.assert_allclose(adjugate(H), expected)


def test_point_errors():
    points0, points1 = np.array([[1.0, 2], [3, 4]]), np.array([[2.0, 4], [6, 12]])
    data = Correspondences.from_arrays(points0, points1, NO_LINES, NO_LINES)
    H = np.diag([2.0, 2, 1])[None]
    np.testing.assert_allclose(transfer_errors(H, data)[0], [[0, 16]])
    np.testing.assert_allclose(symmetric_errors(H, data), [[0, (16 + 4) / 2]])


def test_line_errors_are_perpendicular_distances():
    data = lines_only([[0, 3], [10, -4]], [[0, 0], [10, 0]])
    _, lines = transfer_errors(np.eye(3)[None], data)
    assert lines[0, 0] == pytest.approx(3**2 + 4**2)


def test_order_of_endpoints_does_not_matter():
    one = lines_only([[0, 3], [8, -4]], [[0, 0], [10, 1]])
    other = lines_only([[8, -4], [0, 3]], [[0, 0], [10, 1]])
    identity = np.eye(3)[None]
    assert symmetric_errors(identity, one) == pytest.approx(symmetric_errors(identity, other))


def test_distance_beyond_the_ends_counts_less():
    """At t = 5 the variance of the difference is 1 - t + t^2 = 21 times that at an end."""
    data = lines_only([[0, 1], [50, 1]], [[0, 0], [10, 0]])
    _, lines = transfer_errors(np.eye(3)[None], data)
    assert lines[0, 0] == pytest.approx(1 + 1 / 21)


def test_disjoint_segments_and_features_beyond_infinity():
    identity = np.eye(3)[None]
    assert np.isinf(symmetric_errors(identity, lines_only([[0, 0], [1, 0]], [[2, 0], [3, 0]])))
    tilted = np.array([[[1.0, 0, 0], [0, 1, 0], [-1, 0, 1]]])
    points = np.array([[0.5, 0], [2, 0]])
    data = Correspondences.from_arrays(points, points, NO_LINES, NO_LINES)
    errors = symmetric_errors(tilted, data)
    assert np.isfinite(errors[0, 0])
    assert np.isinf(errors[0, 1])


def test_points_and_lines_have_equal_expected_errors():
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 500, (20000, 2))
    lines = np.stack([points, points + np.array([60, 80])], axis=1)
    across = np.array([-0.8, 0.6])
    shifts = rng.normal(size=(2, 20000, 2, 1)) * across
    data = Correspondences.from_arrays(
        points + rng.normal(size=points.shape),
        points + rng.normal(size=points.shape),
        lines + shifts[0],
        lines + shifts[1],
    )
    errors = symmetric_errors(np.eye(3)[None], data)[0]
    assert errors[:20000].mean() == pytest.approx(4, rel=0.05)
    assert errors[20000:].mean() == pytest.approx(4, rel=0.05)
