"""Scenes with known geometry."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from planar_scenes import HEIGHT, WIDTH, make_planar_scene
from scipy.spatial.transform import Rotation

from gluestick.geometry.projection import project_points
from gluestick.types import Camera, Pose


@pytest.fixture
def planar_scene() -> Callable[..., SimpleNamespace]:
    """Two views of a plane: matched points and lines, the first of them wrong matches."""
    return make_planar_scene


@pytest.fixture
def spatial_scene() -> Callable[..., SimpleNamespace]:
    """Two views of a cloud of points and lines; half of the matches are wrong."""

    def build(seed: int, *, points: int = 0, lines: int = 0, noise: float = 0.5) -> SimpleNamespace:
        rng = np.random.default_rng(seed)
        camera0 = Camera(K=np.array([[600.0, 0, 320], [0, 580, 240], [0, 0, 1]]))
        camera1 = Camera(K=np.array([[700.0, 0, 300], [0, 700, 250], [0, 0, 1]]))
        pose = Pose(
            R=Rotation.from_rotvec(rng.normal(0, 0.15, 3)).as_matrix(),
            t=rng.normal([0.8, 0, 0], 0.3),
        )
        origin = Pose(R=np.eye(3), t=np.zeros(3))
        points3d = rng.uniform([-2, -2, 4], [2, 2, 8], (points, 3))
        lines3d = rng.uniform([-2, -2, 4], [2, 2, 8], (lines, 2, 3))
        points0, _ = project_points(points3d, origin, camera0)
        points1, _ = project_points(points3d, pose, camera1)
        slide = rng.uniform(0, 0.3, (lines, 2, 1)) * (lines3d[:, ::-1] - lines3d)
        lines1, _ = project_points(lines3d + slide, pose, camera1)
        for positions in (points0, points1, lines1):
            positions += rng.normal(0, noise, positions.shape)
        wrong_points, wrong_lines = points // 2, lines // 2
        points1[:wrong_points] = rng.uniform(0, 1, (wrong_points, 2)) * [WIDTH, HEIGHT]
        lines1[:wrong_lines] = rng.uniform(0, 1, (wrong_lines, 2, 2)) * [WIDTH, HEIGHT]
        return SimpleNamespace(
            pose=pose,
            camera0=camera0,
            camera1=camera1,
            points0=points0,
            points1=points1,
            points3d=points3d,
            lines1=lines1,
            lines3d=lines3d,
            point_inliers=np.arange(points) >= wrong_points,
            line_inliers=np.arange(lines) >= wrong_lines,
        )

    return build
