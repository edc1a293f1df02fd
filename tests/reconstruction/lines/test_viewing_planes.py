import numpy as np
import pytest
from line_scenes import arc_of_cameras, line_scene, segments_in_space

from gluestick.reconstruction.lines.viewing_planes import ViewingPlanes

SEGMENTS = segments_in_space(12)


@pytest.fixture
def planes() -> ViewingPlanes:
    return ViewingPlanes(line_scene(SEGMENTS, arc_of_cameras(3), noise=2.0).views)


def test_rays_lie_in_the_plane_and_meet_the_ends(planes: ViewingPlanes) -> None:
    every = np.arange(len(planes))
    on_rays = planes.centre[:, None] + 3.0 * planes.rays
    assert planes.project(on_rays, every) == pytest.approx(planes.ends)
    assert planes.depths(on_rays, every) == pytest.approx(3.0)
    assert np.einsum("sei,si->se", planes.rays, planes.normal) == pytest.approx(0, abs=1e-12)


def test_distances_are_those_from_the_projected_line(planes: ViewingPlanes) -> None:
    every = np.arange(len(planes))
    line = SEGMENTS[every % len(SEGMENTS)]
    seen = planes.project(line, every)
    step = seen[:, 1] - seen[:, 0]
    offset = planes.ends - seen[:, :1]
    across = step[:, None, 0] * offset[..., 1] - step[:, None, 1] * offset[..., 0]
    expected = np.abs(across) / np.linalg.norm(step, axis=1)[:, None]
    found = planes.distances(line[:, 0], line[:, 1] - line[:, 0], every)
    assert np.abs(found) == pytest.approx(expected)


def test_derivatives_are_those_of_differences(planes: ViewingPlanes) -> None:
    every = np.arange(len(planes))
    line = SEGMENTS[every % len(SEGMENTS)]
    given = [line[:, 0], line[:, 1] - line[:, 0]]
    _, *derivatives = planes.distances_and_derivatives(*given, every)
    for which, derivative in enumerate(derivatives):
        for axis in range(3):
            sides = []
            for sign in (1, -1):
                moved = [each.copy() for each in given]
                moved[which][:, axis] += sign * 1e-6
                sides.append(planes.distances(*moved, every))
            numeric = (sides[0] - sides[1]) / 2e-6
            assert derivative[..., axis] == pytest.approx(numeric, rel=1e-4, abs=1e-3)
