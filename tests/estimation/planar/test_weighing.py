import numpy as np
import pytest

from gluestick.estimation.planar.correspondences import Correspondences
from gluestick.estimation.planar.weighing import Hypotheses, weigh, weigh_hypotheses
from gluestick.geometry.homography import transform_lines, transform_points

pytestmark = pytest.mark.filterwarnings("error")

H = np.array([[1.1, 0.2, 0.3], [-0.1, 0.9, -0.2], [0.1, -0.2, 1.2]])
H /= np.linalg.norm(H)
NOISE = 1e-3
THRESHOLD = (6 * NOISE) ** 2


def matches(*, points=200, lines=100, shift=(0.0, 0.0), seed=0, point_noise=NOISE):
    """Matches on a plane, the points of image 1 shifted."""
    rng = np.random.default_rng(seed)
    points0, lines0 = rng.uniform(-1, 1, (points, 2)), rng.uniform(-1, 1, (lines, 2, 2))
    points1 = transform_points(H, points0) + shift
    lines1 = transform_lines(H, lines0)
    return Correspondences.from_arrays(
        points0 + rng.normal(0, point_noise, points0.shape),
        points1 + rng.normal(0, point_noise, points1.shape),
        lines0 + rng.normal(0, NOISE, lines0.shape),
        lines1 + rng.normal(0, NOISE, lines1.shape),
    )


def only_points(data):
    return data.select(np.arange(data.num_points), np.zeros(0, int))


def only_lines(data):
    return data.select(np.zeros(0, int), np.arange(data.num_lines))


def mean_error(estimated) -> float:
    corners = np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])
    difference = transform_points(estimated, corners) - transform_points(H, corners)
    return float(np.linalg.norm(difference, axis=1).mean())


def test_both_kinds_beat_either():
    errors = []
    for seed in range(10):
        data = matches(points=60, lines=60, seed=seed)
        errors.append(
            [
                mean_error(weigh(H, part, threshold=THRESHOLD).H)
                for part in (data, only_points(data), only_lines(data))
            ]
        )
    both, points, lines = np.mean(errors, axis=0)
    assert both < min(points, lines)


def test_a_crowd_that_is_shifted_does_not_outvote_exact_lines():
    """500 points, all displaced by twice their noise, against 60 lines."""
    shift = (2 * NOISE, -NOISE)
    data = matches(points=500, lines=60, shift=shift)
    alone = mean_error(weigh(H, only_points(data), threshold=THRESHOLD).H)
    both = mean_error(weigh(H, data, threshold=THRESHOLD).H)
    lines = mean_error(weigh(H, only_lines(data), threshold=THRESHOLD).H)
    assert both < 0.4 * alone
    assert both < 1.2 * lines


def test_contradicting_kinds_are_settled_by_the_finer_one():
    """Points as wrong as the threshold allows, in a crowd; lines twenty times as exact."""
    data = matches(points=300, lines=80, shift=(6 * NOISE, 6 * NOISE), point_noise=2 * NOISE)
    exact = matches(points=300, lines=80, seed=0)
    data = Correspondences.from_arrays(
        data.points0,
        data.points1,
        exact.lines0,
        transform_lines(H, exact.lines0),
    )
    points, lines = (
        weigh(H, part, threshold=THRESHOLD).H for part in (only_points(data), only_lines(data))
    )
    settled = weigh_hypotheses(Hypotheses(points, points, lines), data, threshold=THRESHOLD)
    assert mean_error(points) > 4 * NOISE
    assert mean_error(settled) < 0.2 * NOISE


def test_few_lines_that_fit_by_chance_contradict_nothing():
    data = matches(points=100, lines=4)
    rng = np.random.default_rng(1)
    wrong = H + rng.normal(0, 0.3, (3, 3))
    data = Correspondences.from_arrays(
        data.points0, data.points1, data.lines0, transform_lines(wrong, data.lines0)
    )
    settled = weigh_hypotheses(
        Hypotheses(H, H, wrong / np.linalg.norm(wrong)), data, threshold=THRESHOLD
    )
    assert mean_error(settled) < NOISE


@pytest.mark.parametrize(("points", "lines"), [(0, 0), (3, 0), (0, 3)])
def test_too_few_matches_cost_everything(points, lines):
    weighed = weigh(H, matches(points=points, lines=lines), threshold=THRESHOLD)
    assert weighed.cost == np.inf
    np.testing.assert_allclose(weighed.H, H)


@pytest.mark.parametrize(("points", "lines"), [(4, 0), (0, 4), (50, 1), (1, 50)])
def test_one_kind_or_hardly_any_of_the_other(points, lines):
    weighed = weigh(H, matches(points=points, lines=lines), threshold=THRESHOLD)
    assert np.isfinite(weighed.cost)
    assert mean_error(weighed.H) < 100 * NOISE
