import numpy as np
from posed_scenes import SIZE, points_in_space, prediction, projections

from gluestick.benchmarks.tasks.predicted_matches import (
    in_stored_pixels,
    matched_lines,
    matched_points,
    original_threshold,
)


def test_points_and_lines_return_to_the_stored_pixels() -> None:
    points = projections(points_in_space(20))
    lines = projections(points_in_space(10).reshape(5, 2, 3))
    turned = prediction(points, lines, turns=(90, 180))
    stored = in_stored_pixels(turned, turns=(90, 180))
    for side in (0, 1):
        np.testing.assert_allclose(stored[f"keypoints{side}"], points[side], atol=1e-4)
        np.testing.assert_allclose(stored[f"lines{side}"], lines[side], atol=1e-4)
        assert tuple(stored[f"image_size{side}"]) == SIZE
    assert tuple(turned["image_size0"]) == SIZE[::-1]


def test_thresholds_grow_with_how_far_images_were_reduced() -> None:
    assert original_threshold({}, 3.0) == 3.0
    reduced = {"resize_scale0": np.array(0.25)}
    assert original_threshold(reduced, 3.0, sides="0") == 12.0
    assert original_threshold(reduced, 3.0, sides="1") == 3.0
    np.testing.assert_allclose(original_threshold(reduced, 3.0), ((12**2 + 3**2) / 2) ** 0.5)


def test_nothing_found() -> None:
    empty = np.zeros((0, 2)), np.zeros((0, 2))
    stored = in_stored_pixels(prediction(empty, turns=(270, 0)), turns=(270, 0))
    assert stored["keypoints0"].shape == (0, 2)
    assert stored["lines1"].shape == (0, 2, 2)


def test_rows_of_matches_correspond() -> None:
    points = np.arange(8.0).reshape(4, 2)
    lines = np.arange(12.0).reshape(3, 2, 2)
    given = prediction((points, points + 100), (lines, lines + 100))
    given["matches0"] = np.array([2, -1, 0, -1])
    given["line_matches0"] = np.array([-1, -1, 1])
    points0, points1 = matched_points(given)
    np.testing.assert_array_equal(points0, points[[0, 2]])
    np.testing.assert_array_equal(points1, points[[2, 0]] + 100)
    lines0, lines1 = matched_lines(given)
    np.testing.assert_array_equal(lines0, lines[[2]])
    np.testing.assert_array_equal(lines1, lines[[1]] + 100)
    given["matches0"][:] = -1
    assert [side.shape for side in matched_points(given)] == [(0, 2), (0, 2)]
