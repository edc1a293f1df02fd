import cv2
import numpy as np
import pytest

from gluestick.datasets.homographies import (
    HomographyConfig,
    rotation_at_centre,
    sample_views,
    view_change,
)
from gluestick.geometry.homography import transform_points

SIZE = (640, 480)
CORNERS = np.array([[-0.5, -0.5], [639.5, -0.5], [639.5, 479.5], [-0.5, 479.5]])


def similarity(*, degrees: float, scale: float) -> np.ndarray:
    angle = np.radians(degrees)
    rotation = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.block([[rotation, np.array([[30.0], [-7.0]])], [np.zeros((1, 2)), np.ones((1, 1))]])


@pytest.mark.parametrize(
    "config",
    [
        HomographyConfig(),
        HomographyConfig(max_turn=180.0),
        HomographyConfig(max_turn=180.0, undo_turn=True),
    ],
)
def test_views_show_nothing_outside_the_photograph(config: HomographyConfig) -> None:
    for seed in range(200):
        for H in sample_views(np.random.default_rng(seed), image_size=SIZE, config=config):
            seen = transform_points(np.linalg.inv(H), CORNERS)
            assert (seen > CORNERS[0] - 0.01).all()
            assert (seen < CORNERS[2] + 0.01).all()
            assert np.linalg.det(H) > 0


def test_the_seed_decides() -> None:
    first, again, other = (
        np.stack(sample_views(np.random.default_rng(seed), image_size=SIZE)) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_no_difficulty_shows_the_whole_photograph() -> None:
    config = HomographyConfig(difficulty=0.0)
    for H in sample_views(np.random.default_rng(0), image_size=SIZE, config=config):
        np.testing.assert_allclose(transform_points(H, CORNERS), CORNERS, atol=1e-3)


def rotations(config: HomographyConfig) -> np.ndarray:
    changes = []
    for seed in range(400):
        H0, H1 = sample_views(np.random.default_rng(seed), image_size=SIZE, config=config)
        changes.append(view_change(H1 @ np.linalg.inv(H0), image_size=SIZE).rotation)
    return np.array(changes)


def test_rotations_are_moderate_by_default_and_cover_the_circle_if_asked() -> None:
    moderate = rotations(HomographyConfig())
    assert np.median(moderate) < 25
    assert 30 < moderate.max() < 90
    turned = rotations(HomographyConfig(max_turn=180.0))
    counts, _ = np.histogram(turned, bins=np.linspace(0, 180, 7))
    assert counts.min() > 30


def test_an_undone_turn_leaves_the_scale() -> None:
    config = HomographyConfig(max_turn=180.0, undo_turn=True)
    assert rotations(config).max() < 60
    for seed in range(200):
        _, turned = sample_views(
            np.random.default_rng(seed), image_size=SIZE, config=HomographyConfig(max_turn=180.0)
        )
        _, upright = sample_views(np.random.default_rng(seed), image_size=SIZE, config=config)
        areas = [
            abs(cv2.contourArea(transform_points(np.linalg.inv(H), CORNERS).astype(np.float32)))
            for H in (turned, upright)
        ]
        assert areas[0] == pytest.approx(areas[1], rel=1e-3)


@pytest.mark.parametrize(("degrees", "scale"), [(0, 1.0), (25, 1.5), (-25, 1 / 1.5), (170, 1.0)])
def test_measures_rotation_and_scale(degrees: float, scale: float) -> None:
    H = similarity(degrees=degrees, scale=scale)
    change = view_change(H, image_size=SIZE)
    assert rotation_at_centre(H, image_size=SIZE) == pytest.approx(degrees)
    assert change.rotation == pytest.approx(abs(degrees))
    assert change.scale == pytest.approx(max(scale, 1 / scale))
    assert change.tilt == pytest.approx(0, abs=1e-4)


def test_measures_tilt() -> None:
    change = view_change(np.diag([0.5, 1.0, 1.0]), image_size=SIZE)
    assert change.tilt == pytest.approx(60)


@pytest.mark.parametrize(
    "options",
    [
        {"difficulty": 1.0},
        {"difficulty": -0.1},
        {"max_angle": 181},
        {"max_turn": -1},
        {"undo_turn": True},
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        HomographyConfig(**options)
