from dataclasses import replace

import numpy as np
import pytest
from pair_attempts import random_positions, upright_attempt

from gluestick.viewpoint import better_views
from gluestick.viewpoint.attempts import Frames, PairAttempt
from gluestick.viewpoint.better_views import (
    MatchedViewConfig,
    ViewOptions,
    follow_matches,
    views_called_for,
)
from gluestick.viewpoint.turns.relative_turn import RelativeTurnConfig
from gluestick.viewpoint.turns.turn_search import TurnSearchConfig
from gluestick.viewpoint.view_search import ViewSearchConfig

OPTIONS = ViewOptions(
    view="auto",
    relative_turn=RelativeTurnConfig(),
    turn_search=TurnSearchConfig(),
    matched_view=MatchedViewConfig(),
    view_search=ViewSearchConfig(),
)


def attempt(*, off_plane: float, confidence: float, zoom: float = 2.5) -> PairAttempt:
    """Image 1 is a detail of image 0; a share of the matches is not of its plane."""
    rng = np.random.default_rng(0)
    points1 = random_positions(rng, 200)
    points0 = points1 / zoom + (150.0, 90.0)
    wrong = int(200 * off_plane)
    points0[:wrong] = random_positions(rng, wrong)
    return upright_attempt(points0, points1, confidence=confidence)


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

    config = MatchedViewConfig()
    best = follow_matches(first, views_called_for(first, config), try_views, config=config)
    assert len(tried) == 1
    assert tried[0][0] is not None
    assert best is (closer if followed else first)


@pytest.mark.parametrize(("support", "number"), [(0.1, 3), (0.2, 1)])
def test_no_other_view_is_tried_once_one_has_enough_support(support: float, number: int) -> None:
    first = attempt(off_plane=1.0, confidence=1.0)
    tried: list[Frames] = []

    def try_views(frames: Frames) -> PairAttempt:
        tried.append(frames)
        return replace(attempt(off_plane=1.0, confidence=9.0 + len(tried)), support=support)

    best = better_views._best_of(first, try_views, [(None, None)] * 3, OPTIONS, enough=0.16)
    assert len(tried) == number
    assert best.confidence == 9.0 + number
