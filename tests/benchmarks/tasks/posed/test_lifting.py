from dataclasses import replace

import numpy as np
import pytest
from posed_scenes import CAMERA, POSE, SIZE

from gluestick.benchmarks.tasks.posed.lifting import (
    lift_lines_by_depth,
    lift_lines_by_observations,
    lift_points_by_depth,
    lift_points_by_observations,
)
from gluestick.datasets.posed.localization import Observations
from gluestick.geometry.projection import project_points


def step(*, near: float = 2.0, far: float = 4.0) -> np.ndarray:
    """Return the depth of a wall whose left half is nearer."""
    depth = np.full(SIZE[::-1], far, dtype=np.float32)
    depth[:, : SIZE[0] // 2] = near
    return depth


def distance_to_line(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    direction = (line[1] - line[0]) / np.linalg.norm(line[1] - line[0])
    return np.linalg.norm(np.cross(points - line[0], direction), axis=-1)


@pytest.mark.parametrize("distortion", [(), (-0.2, 0.03, 0.002, -0.001)])
def test_points_project_where_they_came_from(distortion: tuple[float, ...]) -> None:
    camera = replace(CAMERA, distortion=distortion)
    points = np.array([[20.0, 30.0], [100.5, 60.25], [140.0, 110.0]], dtype=np.float32)
    lifted = lift_points_by_depth(points, step(), camera, POSE)
    assert lifted.known.all()
    positions, depths = project_points(lifted.positions, POSE, camera)
    np.testing.assert_allclose(positions, points, atol=1e-4)
    np.testing.assert_allclose(depths, [2, 4, 4], atol=1e-6)


def test_unknown_depth() -> None:
    lifted = lift_points_by_depth(np.array([[20.0, 30], [120, 30]]), step(near=0.0), CAMERA, POSE)
    assert lifted.known.tolist() == [False, True]
    lines = np.array([[[5.0, 9], [70, 9]], [[100, 9], [150, 9]], [[40, 9], [100, 9]]])
    lifted = lift_lines_by_depth(lines, step(near=0.0), CAMERA, POSE)
    assert lifted.known.tolist() == [False, True, False]


def test_lines_project_onto_themselves() -> None:
    lines = np.array([[[10.0, 20], [70, 100]], [[150, 15], [90, 18]]])
    lifted = lift_lines_by_depth(lines, step(), CAMERA, POSE)
    assert lifted.known.all()
    ends, _ = project_points(lifted.positions, POSE, CAMERA)
    ordered = np.sort(ends[..., 0], axis=1)
    np.testing.assert_allclose(ordered, [[10, 70], [90, 150]], atol=1e-3)


def test_a_line_across_an_edge_gets_the_depth_of_its_longer_side() -> None:
    lines = np.array([[[60.0, 50], [155.0, 50]]])
    lifted = lift_lines_by_depth(lines, step(), CAMERA, POSE)
    on_wall = lift_points_by_depth(np.array([[100.0, 50], [150, 50]]), step(), CAMERA, POSE)
    assert lifted.known.all()
    assert distance_to_line(on_wall.positions, lifted.positions[0]).max() < 1e-6


def test_nearest_observed_points() -> None:
    seen = Observations(
        keypoints=np.array([[10.0, 10], [50, 50]]),
        points3d=np.array([[1.0, 1, 1], [2, 2, 2]]),
        segments=np.zeros((0, 2, 2)),
        lines3d=np.zeros((0, 2, 3)),
    )
    points = np.array([[48.0, 50], [10, 13.5], [11, 11]])
    lifted = lift_points_by_observations(points, seen, max_distance=3.0)
    assert lifted.known.tolist() == [True, False, True]
    assert lifted.positions[[0, 2]].tolist() == [[2, 2, 2], [1, 1, 1]]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ([[10, 10], [60, 10]], 0),  # the same
        ([[55, 11], [22, 12]], 0),  # a part, reversed
        ([[55, 10], [100, 10]], None),  # an overlap of 5 px
        ([[10, 14], [60, 14]], None),  # too far
        ([[10, 10], [30, 60]], None),  # another direction
        ([[30, 32], [30, 80]], 1),
        ([[30, 30], [30, 30]], None),  # without length
    ],
)
def test_overlapping_observed_lines(line: list[list[float]], expected: int | None) -> None:
    seen = Observations(
        keypoints=np.zeros((0, 2)),
        points3d=np.zeros((0, 3)),
        segments=np.array([[[10.0, 10], [60, 10]], [[30, 30], [30, 80]]]),
        lines3d=np.array([[[0.0, 0, 1], [1, 0, 1]], [[0, 0, 2], [0, 1, 2]]]),
    )
    lifted = lift_lines_by_observations(np.array([line], dtype=float), seen, max_distance=3.0)
    assert lifted.known.tolist() == [expected is not None]
    if expected is not None:
        assert lifted.positions[0].tolist() == seen.lines3d[expected].tolist()


def test_nothing_to_lift() -> None:
    no_points, no_lines = np.zeros((0, 2)), np.zeros((0, 2, 2))
    nothing = Observations(
        keypoints=no_points,
        points3d=np.zeros((0, 3)),
        segments=no_lines,
        lines3d=np.zeros((0, 2, 3)),
    )
    assert lift_points_by_depth(no_points, step(), CAMERA, POSE).positions.shape == (0, 3)
    assert lift_lines_by_depth(no_lines, step(), CAMERA, POSE).positions.shape == (0, 2, 3)
    assert not lift_points_by_observations(np.ones((2, 2)), nothing, max_distance=3).known.any()
    assert not lift_lines_by_observations(np.ones((2, 2, 2)), nothing, max_distance=3).known.any()
    assert lift_points_by_observations(no_points, nothing, max_distance=3).known.shape == (0,)
