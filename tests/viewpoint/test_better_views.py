from types import SimpleNamespace

import numpy as np
import pytest

from gluestick.viewpoint.attempts import Frames, PairAttempt
from gluestick.viewpoint.better_views import MatchedViewConfig, follow_matches

SIZE = (640, 480)


def attempt(*, off_plane: float, confidence: float, zoom: float = 2.5) -> PairAttempt:
    """Image 1 is a detail of image 0; a share of the matches is not of its plane."""
    rng = np.random.default_rng(0)
    points1 = rng.uniform((0, 0), SIZE, (200, 2))
    points0 = points1 / zoom + (150.0, 90.0)
    points0[: int(200 * off_plane)] = rng.uniform((0, 0), SIZE, (int(200 * off_plane), 2))
    seen = SimpleNamespace(views=(None,), scales=(1.0,))
    return PairAttempt(
        wireframe0=seen,
        wireframe1=seen,
        points0=points0,
        points1=points1,
        size0=SIZE,
        size1=SIZE,
        confidence=confidence,
        support=0.5,
        matches=None,
    )


@pytest.mark.parametrize(
    ("off_plane", "growth", "followed"),
    [(0.0, 1.2, True), (0.0, 0.9, False), (0.3, 1.6, False), (0.3, 2.2, True)],
)
def test_a_scene_of_several_planes_is_left_for_one_only_if_scores_double(
    off_plane: float, growth: float, followed: bool
) -> None:
    first = attempt(off_plane=off_plane, confidence=100.0)
    closer = attempt(off_plane=0.0, confidence=100.0 * growth, zoom=1.0)
    tried: list[Frames] = []

    def try_views(frames: Frames) -> PairAttempt:
        tried.append(frames)
        return closer

    best = follow_matches(first, try_views, config=MatchedViewConfig())
    assert len(tried) == 1
    assert tried[0][0] is not None
    assert best is (closer if followed else first)
