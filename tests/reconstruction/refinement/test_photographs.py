"""A photograph, and a detail of it that looks six times closer."""

import cv2
import numpy as np
import pytest

from gluestick.reconstruction.refinement.patch_alignment import AlignmentConfig
from gluestick.reconstruction.refinement.photographs import Photograph, align_observations

ZOOM = 6
SIZE = (240, 180)
DETAIL_SIZE = (540, 420)
CORNER = np.array([70, 50]) - 0.5
"""Where the upper left corner of the detail lies in the photograph."""


def to_detail(points: np.ndarray) -> np.ndarray:
    return ZOOM * (points - CORNER) - 0.5


@pytest.fixture(scope="module")
def photographs() -> tuple[Photograph, Photograph]:
    """The photograph and the detail, rendered from the same pattern, at scale 0.5."""
    width, height = DETAIL_SIZE
    noise = np.random.default_rng(0).uniform(0, 255, (SIZE[1] * ZOOM, SIZE[0] * ZOOM))
    fine = cv2.GaussianBlur(noise.astype(np.float32), (0, 0), 1.8 * ZOOM) * 12 * ZOOM
    whole = cv2.resize(fine, SIZE, interpolation=cv2.INTER_AREA)
    x, y = np.round(ZOOM * (CORNER + 0.5)).astype(int)
    detail = fine[y : y + height, x : x + width]
    half = np.array([0.5, 0.5])
    return Photograph(whole, half, smoothing=0.8), Photograph(detail, half, smoothing=0.8)


def stored(points: np.ndarray) -> np.ndarray:
    return 2 * (points + 0.5) - 0.5


@pytest.mark.parametrize("into_detail", [True, False])
def test_a_detail_is_aligned_as_finely_as_the_whole_shows_it(
    photographs: tuple[Photograph, Photograph], into_detail: bool
) -> None:
    rng = np.random.default_rng(1)
    whole = CORNER + rng.uniform((20, 20), (70, 50), (40, 2))
    start, true, zoom, of_whole = stored(whole), stored(to_detail(whole)), ZOOM, 1 / ZOOM
    order = photographs
    if not into_detail:
        start, true, zoom, of_whole, order = true, start, 1 / ZOOM, 1, photographs[::-1]
    expected = true + rng.uniform(-0.5, 0.5, true.shape) * 2 / of_whole
    maps = np.tile(zoom * np.eye(2), (40, 1, 1))
    maps[0] = np.nan
    positions, found = align_observations(*order, start, expected, maps, config=AlignmentConfig())
    assert not found[0]
    np.testing.assert_array_equal(positions[~found], expected[~found])
    assert found.mean() > 0.7
    errors = np.linalg.norm(positions - true, axis=1)[found] * of_whole / 2
    assert np.median(errors) < 0.05  # px of the whole photograph


def test_copies_keep_places(photographs: tuple[Photograph, Photograph]) -> None:
    image, scale = photographs[0].halved(2)
    assert image.size == (60, 45)
    np.testing.assert_allclose(scale, [0.125, 0.125])
    assert photographs[0].halved(2)[0] is image
