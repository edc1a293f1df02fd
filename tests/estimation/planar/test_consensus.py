from collections.abc import Callable

import numpy as np
import pytest

from gluestick.estimation.planar.consensus import find_hypotheses
from gluestick.estimation.planar.correspondences import Correspondences, symmetric_errors
from gluestick.geometry.homography import transform_lines, transform_points

H = np.array([[1.1, 0.2, 0.3], [-0.1, 0.9, -0.2], [0.1, -0.2, 1.2]])
OTHER = np.array([[0.8, -0.3, 0.1], [0.2, 1.0, 0.1], [-0.1, 0.1, 1.0]])
MAX_ERROR = 0.01


def scene(*, points: int, lines: int, line_map: np.ndarray = H) -> Correspondences:
    rng = np.random.default_rng(0)
    points0, lines0 = rng.uniform(-1, 1, (points, 2)), rng.uniform(-1, 1, (lines, 2, 2))
    points1, lines1 = transform_points(H, points0), transform_lines(line_map, lines0)
    return Correspondences.from_arrays(points0, points1, lines0, lines1)


@pytest.fixture
def search() -> Callable:
    def run(data, **options):
        options = {"confidence": 0.9999, "max_iterations": 5000} | options
        rng = np.random.default_rng(0)
        return find_hypotheses(data, max_error=MAX_ERROR, rng=rng, **options)

    return run


def agreeing(homography, data) -> tuple[int, int]:
    inliers = symmetric_errors(homography[None], data)[0] <= MAX_ERROR**2
    return int(inliers[: data.num_points].sum()), int(inliers[data.num_points :].sum())


def test_one_homography_for_both(search):
    data = scene(points=40, lines=30)
    found = search(data)
    for homography in found:
        assert agreeing(homography, data) == (40, 30)


def test_each_kind_has_its_own_where_they_contradict_each_other(search):
    data = scene(points=60, lines=40, line_map=OTHER)
    found = search(data)
    assert agreeing(found.joint, data)[0] == 60
    assert agreeing(found.points, data)[0] == 60
    assert agreeing(found.lines, data)[1] == 40
    assert agreeing(found.joint, data)[1] < 10


@pytest.mark.parametrize(("points", "lines"), [(40, 0), (0, 30)])
def test_one_kind_alone_has_no_others(search, points, lines):
    found = search(scene(points=points, lines=lines))
    assert found.points is None
    assert found.lines is None


@pytest.mark.parametrize(("points", "lines"), [(0, 0), (3, 0), (2, 2), (0, 3)])
def test_nothing_to_draw_from(search, points, lines):
    assert search(scene(points=points, lines=lines)) is None
