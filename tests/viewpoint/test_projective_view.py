import numpy as np
import pytest
from pair_attempts import SIZE, random_positions, upright_attempt

from gluestick.geometry.homography import transform_points
from gluestick.types import ViewFrame
from gluestick.viewpoint.attempts import Frames, PairAttempt
from gluestick.viewpoint.better_views import MatchedViewConfig, follow_homography
from gluestick.viewpoint.projective_view import projective_frames

FORESHORTENED = np.array([[0.6, 0.0, 20.0], [0.0, 0.5, 30.0], [0.002, 0.0, 1.0]])


def attempt(*, confidence: float, off_plane: float = 0.0) -> PairAttempt:
    rng = np.random.default_rng(0)
    points0 = random_positions(rng, 200)
    points1 = transform_points(FORESHORTENED, points0)
    wrong = int(200 * off_plane)
    points1[:wrong] = random_positions(rng, wrong)
    return upright_attempt(points0, points1, confidence=confidence)


def seen(frame: ViewFrame | None, points: np.ndarray) -> np.ndarray:
    assert frame is not None
    return frame.from_original(points)


@pytest.mark.parametrize("swapped", [False, True])
def test_both_views_show_the_plane_alike(swapped: bool) -> None:
    H = np.linalg.inv(FORESHORTENED) if swapped else FORESHORTENED
    frames = projective_frames(H, size0=SIZE, size1=SIZE, min_foreshortening=1.25)
    assert frames is not None
    points0 = np.random.default_rng(0).uniform((0, 0), SIZE, (300, 2))
    points1 = transform_points(FORESHORTENED, points0)
    if swapped:
        points0, points1 = points1, points0
    np.testing.assert_allclose(seen(frames[0], points0), seen(frames[1], points1), atol=1e-6)
    assert [frame is not None and frame.is_affine for frame in frames] == [swapped, not swapped]


def test_an_affine_view_will_do() -> None:
    H = np.array([[0.5, 0.1, 3.0], [0.0, 0.25, 4.0], [1e-5, 0.0, 1.0]])
    assert projective_frames(H, size0=SIZE, size1=SIZE, min_foreshortening=1.25) is None


def test_nothing_in_common() -> None:
    H = FORESHORTENED.copy()
    H[:2] += 5000 * H[2]
    assert projective_frames(H, size0=SIZE, size1=SIZE, min_foreshortening=1.25) is None


@pytest.mark.parametrize(
    ("off_plane", "growth", "followed"),
    [(0.0, 1.05, False), (0.0, 1.2, True), (0.3, 1.5, False), (0.3, 2.5, True)],
)
def test_it_is_followed_if_scores_grow(off_plane: float, growth: float, followed: bool) -> None:
    first = attempt(confidence=100.0, off_plane=off_plane)
    better = attempt(confidence=100.0 * growth)
    tried: list[Frames] = []

    def try_views(frames: Frames) -> PairAttempt:
        tried.append(frames)
        return better

    best = follow_homography(first, try_views, config=MatchedViewConfig())
    assert len(tried) == 1
    assert best is (better if followed else first)


def test_chance_is_not_followed() -> None:
    first = attempt(confidence=5.0, off_plane=1.0)
    best = follow_homography(first, lambda frames: pytest.fail("tried"), config=MatchedViewConfig())
    assert best is first
