from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gluestick.estimation import estimate_relative_pose
from gluestick.estimation.vanishing_points import find_vanishing_pairs, refine_with_directions
from gluestick.geometry.projection import project_points
from gluestick.types import Camera, Pose

CAMERAS = (
    Camera(K=np.array([[600.0, 0, 320], [0, 580, 240], [0, 0, 1]])),
    Camera(K=np.array([[700.0, 0, 300], [0, 700, 250], [0, 0, 1]])),
)
AXES = Rotation.from_rotvec([0.5, 0.6, 0.2]).as_matrix()
"""The directions of the lines of a room that is turned against the first camera."""


@pytest.fixture
def room():
    """Points, lines along three axes and some others, seen by two cameras."""

    def build(
        seed: int, *, noise: float = 0.5, points: int = 12, others: int = 10
    ) -> SimpleNamespace:
        rng = np.random.default_rng(seed)
        pose = Pose(
            R=Rotation.from_rotvec(rng.normal(0, 0.1, 3)).as_matrix(),
            t=rng.normal([0.8, 0.1, 0.1], 0.1),
        )
        places = rng.uniform([-2, -2, 5], [2, 2, 9], (points, 3))
        starts = rng.uniform([-2, -2, 5], [2, 2, 9], (30 + others, 3))
        directions = np.concatenate([np.repeat(AXES, 10, axis=0), rng.normal(0, 1, (others, 3))])
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        lines = np.stack([starts, starts + 2.5 * directions], axis=1)
        poses = Pose(R=np.eye(3), t=np.zeros(3)), pose
        seen = [
            project_points(world, own, camera)[0]
            for world in (places, lines)
            for own, camera in zip(poses, CAMERAS, strict=True)
        ]
        seen = [positions + rng.normal(0, noise, positions.shape) for positions in seen]
        return SimpleNamespace(pose=pose, points=seen[:2], lines=seen[2:])

    return build


def angle(R0: np.ndarray, R1: np.ndarray) -> float:
    return float(np.degrees(Rotation.from_matrix(R0 @ R1.T).magnitude()))


def test_the_axes_of_a_room_are_found_in_both_images(room):
    made = room(0)
    pairs = find_vanishing_pairs(*made.lines, CAMERAS)
    assert 3 <= len(pairs) <= 4
    for number in range(3):
        own = range(10 * number, 10 * number + 10)
        pair = max(pairs, key=lambda each: len(set(own) & set(each.lines.tolist())))
        assert len(set(own) & set(pair.lines.tolist())) >= 8
        assert abs(pair.direction0 @ AXES[number]) > np.cos(np.radians(1.5))
        assert abs(pair.direction1 @ made.pose.R @ AXES[number]) > np.cos(np.radians(1.5))
        assert 0 < pair.deviation < np.radians(2)


def test_exact_lines_make_an_inexact_pose_exact(room):
    made = room(1, noise=0.0, points=30, others=0)
    t = made.pose.t / np.linalg.norm(made.pose.t)
    start = Pose(R=Rotation.from_rotvec([0.01, -0.01, 0.01]).as_matrix() @ made.pose.R, t=t)
    points = [
        (own - camera.K[:2, 2]) / np.diag(camera.K)[:2]
        for own, camera in zip(made.points, CAMERAS, strict=True)
    ]
    pairs = find_vanishing_pairs(*made.lines, CAMERAS)
    found = refine_with_directions(start, *points, pairs, max_error=0.01)
    assert angle(found.R, made.pose.R) < 0.02
    assert found.t == pytest.approx(t, abs=1e-3)
    assert refine_with_directions(start, *points, [], max_error=0.01) is start


def test_lines_help_where_points_are_few(room):
    errors = {"points": [], "both": []}
    for seed in range(12):
        made = room(seed)
        for kind, lines in (("points", ()), ("both", made.lines)):
            found = estimate_relative_pose(*made.points, *CAMERAS, *lines, max_error=2.0)
            errors[kind].append(angle(found.pose_0to1.R, made.pose.R))
    assert np.median(errors["both"]) < 0.7 * np.median(errors["points"])


def test_lines_decide_neither_inliers_nor_verdict(room):
    made = room(2, points=40)
    without = estimate_relative_pose(*made.points, *CAMERAS, max_error=2.0)
    few = [lines[:4] for lines in made.lines]
    same = estimate_relative_pose(*made.points, *CAMERAS, *few, max_error=2.0)
    assert np.array_equal(without.pose_0to1.R, same.pose_0to1.R)
    assert without.log10_false_alarms == same.log10_false_alarms


def test_without_parallel_lines_there_is_nothing(room):
    empty = np.zeros((0, 2, 2))
    assert find_vanishing_pairs(empty, empty, CAMERAS) == []
    lines = [own[:4] for own in room(3).lines]
    assert find_vanishing_pairs(*lines, CAMERAS) == []
    same = np.tile([[[5.0, 5.0], [6.0, 5.0]]], (8, 1, 1))
    assert find_vanishing_pairs(same, same, CAMERAS) == []


def test_both_sides_of_lines_are_needed(room):
    made = room(0)
    with pytest.raises(ValueError, match="needs both lines0 and lines1"):
        estimate_relative_pose(*made.points, *CAMERAS, made.lines[0])
