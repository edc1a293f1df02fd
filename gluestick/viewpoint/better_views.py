"""Better views of a pair than the one it was matched in, in steps of rising cost.

What was matched may say already that one image is closer or shows things from another side; then
both are matched once more in views that show the same alike, as long as that finds more. Where
next to nothing was matched, turns and then other views are searched with the detector, and the
best are matched. Who has the matcher (:mod:`gluestick.pipeline`) extracts and matches.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gluestick.features.image_batch import ImageBatch
from gluestick.geometry.affine import stretch
from gluestick.images.rotation import turned_frame
from gluestick.viewpoint.affine_evidence import AffineEvidence, fit_affine
from gluestick.viewpoint.attempts import Frames, PairAttempt, Steps, TryViews
from gluestick.viewpoint.projective_view import planar_evidence, projective_frames
from gluestick.viewpoint.shared_view import seen_affine, shared_frames
from gluestick.viewpoint.turns.pair_turns import turns_to_try
from gluestick.viewpoint.turns.relative_turn import RelativeTurnConfig
from gluestick.viewpoint.turns.turn_search import TurnSearchConfig
from gluestick.viewpoint.view_modes import View, tries_every_turn, warps
from gluestick.viewpoint.view_search import ViewSearchConfig, search_views

_ENOUGH = 2.0
"""Once a view that was searched gives this many times the support below which a pair is in doubt,
no other is tried."""


@dataclass(frozen=True, kw_only=True)
class MatchedViewConfig:
    """When what was matched says that other views would show the same more alike.

    Attributes:
        min_scale: From which factor of size between what detectors saw on.
        min_tilt: From which tilt on; see :class:`gluestick.geometry.affine.Stretch`.
        max_error: How far matches may be from the affine map that says so, as a share of the
            longer side.
        max_false_alarms: The log10 of the number of false alarms below which it is believed.
        min_share: The share of the matches that must follow the map. What fewer follow is not all
            of one plane, and a view of the plane alone leaves out the rest of the scene.
        min_growth: By what the scores must grow where fewer do.
        min_gain: Once a pair was matched again, it is matched once more if that added this share
            to its scores and the new matches say so again, from ``min_change`` on.
        min_change: The factor of size, and the tilt, that count then.
        max_rounds: How often a pair is matched again at most.
        min_foreshortening: By which factor the homography of the matches must change lengths
            differently within what both images show for a view under that; infinite for none.
    """

    min_scale: float = 1.6
    min_tilt: float = 1.5
    max_error: float = 0.05
    max_false_alarms: float = -6.0
    min_share: float = 0.95
    min_growth: float = 2.0
    min_gain: float = 0.1
    min_change: float = 1.25
    max_rounds: int = 3
    min_foreshortening: float = 1.25


@dataclass(frozen=True, kw_only=True)
class ViewOptions:
    """All options of finding views.

    Attributes:
        view: How much is tried.
        relative_turn: Those of the vote on turns.
        turn_search: Those of the search for turns, and from which scores on nothing is searched.
        matched_view: Those of following what was matched.
        view_search: Those of the search for other views.
    """

    view: View
    relative_turn: RelativeTurnConfig
    turn_search: TurnSearchConfig
    matched_view: MatchedViewConfig
    view_search: ViewSearchConfig


def better_attempt(
    first: PairAttempt,
    try_views: TryViews,
    batch0: ImageBatch,
    batch1: ImageBatch,
    *,
    vote: float | None,
    steps: Steps,
    options: ViewOptions,
) -> PairAttempt:
    """Look for views in which a pair matches better.

    Pairs whose first matches call for other views, or that were matched in others, are also matched
    in the views that the homography of their matches calls for.

    Args:
        first: The pair matched in the view for which it voted.
        try_views: Matches it in others.
        batch0: Image 0, a batch of one.
        batch1: Image 1, a batch of one.
        vote: For which turn of image 1 the pair voted, None for none.
        steps: What detects, for the searches.
        options: The options.

    Returns:
        The best attempt, ``first`` itself where none is better.
    """
    config = options.matched_view
    called = views_called_for(first, config) if warps(options.view) else None
    followed = follow_matches(first, called, try_views, config=config)
    best = _searched_attempt(
        followed, try_views, batch0, batch1, vote=vote, steps=steps, options=options
    )
    if not warps(options.view) or (best is first and called is None):
        return best
    return follow_homography(best, try_views, config=config)


def _searched_attempt(
    best: PairAttempt,
    try_views: TryViews,
    batch0: ImageBatch,
    batch1: ImageBatch,
    *,
    vote: float | None,
    steps: Steps,
    options: ViewOptions,
) -> PairAttempt:
    """Search turns and then other views of a pair that is in doubt."""
    if steps.extractor is None or not _in_doubt(best, vote, options):
        return best
    with steps.timer.stage("rotation"):
        turns = turns_to_try(
            steps.extractor,
            batch0,
            batch1,
            vote=vote,
            every_turn=tries_every_turn(options.view),
            relative_turn=options.relative_turn,
            turn_search=options.turn_search,
        )
    turned: list[Frames] = [(None, turned_frame(best.size1, angle=turn)) for turn in turns]
    best = _best_of(best, try_views, turned, options)
    if not warps(options.view) or not _in_doubt(best, vote, options):
        return best
    with steps.timer.stage("rotation"):
        found = search_views(steps.extractor, batch0, batch1, config=options.view_search)
    enough = _ENOUGH * options.turn_search.min_support
    return _best_of(best, try_views, _frames_of(found, best), options, enough=enough)


class CalledViews(NamedTuple):
    """Views that matches call for, and by what scores must grow in them."""

    frames: Frames
    min_growth: float


def views_called_for(
    attempt: PairAttempt, config: MatchedViewConfig, *, again: bool = False
) -> CalledViews | None:
    """Return the views that the matches of a pair call for.

    Args:
        attempt: The pair as it was matched.
        config: The options.
        again: Whether it was matched in views that matches called for, so that smaller changes
            count.

    Returns:
        The views; None where those in which the pair was matched will do.
    """
    evidence = fit_affine(
        attempt.points0,
        attempt.points1,
        size0=attempt.size0,
        size1=attempt.size1,
        max_error=config.max_error,
    )
    if evidence is None or evidence.log10_false_alarms >= config.max_false_alarms:
        return None
    scale, tilt = stretch(seen_affine(evidence.affine, attempt.wireframe0, attempt.wireframe1))
    min_scale, min_tilt = config.min_scale, config.min_tilt
    if again:
        min_scale = min_tilt = config.min_change
    if 1 / min_scale <= scale <= min_scale and tilt <= min_tilt:
        return None
    frames = shared_frames(evidence.affine, size0=attempt.size0, size1=attempt.size1)
    if frames is None:
        return None
    one_plane = evidence.inliers.mean() >= config.min_share
    return CalledViews(frames, 1.0 if one_plane else config.min_growth)


def follow_matches(
    best: PairAttempt,
    called: CalledViews | None,
    try_views: TryViews,
    *,
    config: MatchedViewConfig,
) -> PairAttempt:
    """Match a pair again in the views that its matches call for, as long as that gains.

    Args:
        best: The pair as it was matched.
        called: The views that its matches call for, as :func:`views_called_for` says.
        try_views: Matches it in other views.
        config: The options.

    Returns:
        The attempt with the highest scores.
    """
    for _ in range(config.max_rounds):
        if called is None:
            return best
        found, before = try_views(called.frames), best.confidence
        if found.confidence > called.min_growth * before:
            best = found
        if found.confidence <= max(called.min_growth, 1 + config.min_gain) * before:
            return best
        called = views_called_for(best, config, again=True)
    return best


def follow_homography(
    best: PairAttempt, try_views: TryViews, *, config: MatchedViewConfig
) -> PairAttempt:
    """Match a pair again in the views that the homography of its matches calls for.

    Args:
        best: The pair as it was matched.
        try_views: Matches it in other views.
        config: The options.

    Returns:
        The attempt in those views if its scores are higher by ``min_gain``, else ``best``.
    """
    evidence = planar_evidence(best, max_error=config.max_error)
    if evidence is None or evidence.log10_false_alarms >= config.max_false_alarms:
        return best
    frames = projective_frames(
        evidence.H_0to1,
        size0=best.size0,
        size1=best.size1,
        min_foreshortening=config.min_foreshortening,
    )
    if frames is None:
        return best
    found = try_views(frames)
    one_plane = evidence.share >= config.min_share
    min_growth = max(1 + config.min_gain, 1.0 if one_plane else config.min_growth)
    return found if found.confidence > min_growth * best.confidence else best


def _best_of(
    best: PairAttempt,
    try_views: TryViews,
    frames: Iterable[Frames],
    options: ViewOptions,
    *,
    enough: float = float("inf"),
) -> PairAttempt:
    """Match a pair in further views until its support is enough, and follow the best of them."""
    before = best
    for each in frames:
        best = max(best, try_views(each), key=lambda attempt: attempt.confidence)
        if best.support >= enough:
            break
    if best is before or not warps(options.view):
        return best
    config = options.matched_view
    return follow_matches(best, views_called_for(best, config), try_views, config=config)


def _frames_of(found: Iterable[AffineEvidence], pair: PairAttempt) -> Iterable[Frames]:
    for evidence in found:
        frames = shared_frames(evidence.affine, size0=pair.size0, size1=pair.size1)
        if frames is not None:
            yield frames


def _in_doubt(attempt: PairAttempt, vote: float | None, options: ViewOptions) -> bool:
    """Tell whether next to nothing was matched, or the pair was to be searched anyway."""
    if not np.isfinite(attempt.support):
        return False
    voteless = tries_every_turn(options.view) and vote is None
    return voteless or attempt.support < options.turn_search.min_support
