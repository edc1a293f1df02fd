import numpy as np
import pytest

from gluestick.geometry.affine import apply, compose, inverse, stretch
from gluestick.viewpoint.affine_evidence import AffineEvidence, distinct_maps, fit_affine

SIZE = (640, 480)


def matches(
    affine: np.ndarray, *, right: int, wrong: int, noise: float = 0.5, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Right matches within both images, in the order of their coordinates, then wrong ones."""
    rng = np.random.default_rng(seed)
    points0 = rng.uniform(0, 1, (20_000, 2)) * SIZE
    points1 = apply(affine, points0) + rng.normal(0, noise, (20_000, 2))
    inside = ((points1 > 0) & (points1 < SIZE)).all(axis=1)
    random = rng.uniform(0, 1, (2, wrong, 2)) * SIZE
    return (
        np.concatenate([points0[inside][:right], random[0]]),
        np.concatenate([points1[inside][:right], random[1]]),
    )


def map_about_centre(linear: np.ndarray) -> np.ndarray:
    centre = np.array(SIZE) / 2
    return np.column_stack([linear, centre - linear @ centre])


@pytest.mark.parametrize(
    "linear",
    [8.0 * np.eye(2), np.eye(2) / 8, np.array([[0.2, 0.1], [-0.1, 1.0]]), -2.0 * np.eye(2)],
)
def test_the_map_is_found_among_wrong_matches(linear: np.ndarray) -> None:
    affine = map_about_centre(linear)
    points = matches(affine, right=40, wrong=60)
    found = fit_affine(*points, size0=SIZE, size1=SIZE, max_error=0.02)
    assert found is not None
    assert found.inliers[:40].mean() > 0.9
    assert found.inliers[40:].sum() <= 2
    assert found.log10_false_alarms < -20
    scale, tilt = stretch(compose(inverse(affine), found.affine))
    assert abs(scale - 1) < 0.1
    assert tilt < 1.15


@pytest.mark.parametrize("seed", range(5))
def test_random_matches_are_chance(seed: int) -> None:
    points = matches(np.eye(2, 3), right=0, wrong=100, seed=seed)
    found = fit_affine(*points, size0=SIZE, size1=SIZE, max_error=0.05)
    assert found is None or found.log10_false_alarms > 0


def test_matches_that_crowd_count_as_one() -> None:
    points = matches(np.eye(2, 3), right=30, wrong=0)
    spread = fit_affine(*points, size0=SIZE, size1=SIZE, max_error=0.02)
    rng = np.random.default_rng(0)
    copies = [
        np.concatenate([each[:3], np.repeat(each[3:4], 27, axis=0) + rng.normal(0, 0.1, (27, 2))])
        for each in points
    ]
    crowded = fit_affine(*copies, size0=SIZE, size1=SIZE, max_error=0.02)
    assert spread is not None
    assert crowded is not None
    assert crowded.log10_false_alarms > spread.log10_false_alarms + 20


def test_everything_that_was_tried_counts() -> None:
    points = matches(np.eye(2, 3), right=30, wrong=30)
    once, often = (
        fit_affine(*points, size0=SIZE, size1=SIZE, max_error=0.02, num_tests=number)
        for number in (1, 100)
    )
    assert once is not None
    assert often is not None
    assert often.log10_false_alarms == pytest.approx(once.log10_false_alarms + 2)


def test_mirror_images_have_no_map() -> None:
    points = matches(map_about_centre(np.diag([-1.0, 1.0])), right=60, wrong=0)
    found = fit_affine(*points, size0=SIZE, size1=SIZE, max_error=0.02)
    assert found is None or found.log10_false_alarms > -3


@pytest.mark.parametrize("number", [0, 1, 3])
def test_few_matches_have_no_map(number: int) -> None:
    points = matches(np.eye(2, 3), right=number, wrong=0)
    assert fit_affine(*points, size0=SIZE, size1=SIZE, max_error=0.02) is None


def test_matches_on_a_line_or_in_a_point_have_no_map_or_no_evidence() -> None:
    line = np.stack([np.linspace(0, 600, 30), np.full(30, 100.0)], axis=1)
    for points in (line, np.full((30, 2), 50.0)):
        found = fit_affine(points, points, size0=SIZE, size1=SIZE, max_error=0.02)
        assert found is None or np.isfinite(found.affine).all()


def test_maps_are_told_apart_by_size_turn_and_place() -> None:
    detail = np.array([[5.0, 0, -800], [0, 5.0, -600]])
    turned = np.array([[0.0, -5, 1800], [5, 0, -1400]])
    elsewhere, nearby = detail - np.eye(2, 3, 2) * 1800, detail + 0.1 * np.ones((2, 3))
    found = [
        AffineEvidence(affine=affine, inliers=np.ones(1, dtype=bool), log10_false_alarms=-9.0)
        for affine in (detail, nearby, turned, elsewhere, detail)
    ]
    distinct = distinct_maps(found, size0=SIZE, size1=SIZE)
    for each, affine in zip(distinct, (detail, turned, elsewhere), strict=True):
        assert each.affine is affine
