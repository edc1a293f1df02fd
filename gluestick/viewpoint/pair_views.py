"""Pairs matched in the views that show the same alike."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gluestick.features.image_batch import ImageBatch
from gluestick.types import ViewFrame, Wireframe
from gluestick.viewpoint.attempts import (
    Attempt,
    Frames,
    PairAttempt,
    Steps,
    TryViews,
    pair_attempts,
)
from gluestick.viewpoint.better_views import ViewOptions, better_attempt
from gluestick.viewpoint.turns.pair_turns import vote_turns
from gluestick.wireframe.collate import stack_wireframes

InView = Callable[[ViewFrame | None], Wireframe]
"""Extracts one image in a view."""


@dataclass(frozen=True, kw_only=True)
class SeenImage:
    """An image that was extracted in some view, and can be in others.

    Attributes:
        batch: The image, a batch of one.
        wireframe: What was found in it.
        in_view: Extracts it in a view, and is called for one as often as that is tried; None for
            the matcher, once in each.
    """

    batch: ImageBatch
    wireframe: Wireframe
    in_view: InView | None = None


def match_in_views(
    wireframe0: Wireframe | None,
    batch0: ImageBatch,
    batch1: ImageBatch,
    *,
    steps: Steps,
    options: ViewOptions,
) -> Attempt:
    """Vote on the turns of the images 1, match them, and look for better views.

    Args:
        wireframe0: The wireframes of the images 0 as they are; None to extract them, too.
        batch0: The images 0.
        batch1: As many images 1.
        steps: What extracts and matches.
        options: The options.

    Returns:
        The wireframes of both sides, and the matches. A batch gives what the pairs give one by
        one.

    Raises:
        ValueError: If the numbers of images or masks differ.
    """
    if options.view == "none":
        return _first_attempt(wireframe0, batch0, batch1, turns=None, steps=steps)
    with steps.timer.stage("rotation"):
        contrast = None if steps.extractor is None else steps.extractor.config.contrast
        votes = vote_turns(batch0, batch1, config=options.relative_turn, contrast=contrast)
    turns = [vote or 0.0 for vote in votes]
    first = _first_attempt(wireframe0, batch0, batch1, turns=turns, steps=steps)
    attempts = pair_attempts(first)
    better = []
    for index, (attempt, vote) in enumerate(zip(attempts, votes, strict=True)):
        batches = batch0.take(index), batch1.take(index)
        try_views = _try_views(
            _each_once(batches[0], attempt.wireframe0, steps),
            _each_once(batches[1], attempt.wireframe1, steps),
            steps=steps,
        )
        better.append(
            better_attempt(attempt, try_views, *batches, vote=vote, steps=steps, options=options)
        )
    if all(found is attempt for found, attempt in zip(better, attempts, strict=True)):
        return first
    wireframes0, wireframes1 = (
        stack_wireframes([getattr(found, name) for found in better])
        for name in ("wireframe0", "wireframe1")
    )
    if len(better) == 1 and better[0].matches is not None:
        return Attempt(wireframe0=wireframes0, wireframe1=wireframes1, matches=better[0].matches)
    return steps.attempt(wireframes0, wireframes1)


def _first_attempt(
    wireframe0: Wireframe | None,
    batch0: ImageBatch,
    batch1: ImageBatch,
    *,
    turns: list[float] | None,
    steps: Steps,
) -> Attempt:
    if wireframe0 is None:
        return steps.attempt(*steps.extract_pairs(batch0, batch1, turns=turns))
    return steps.attempt(wireframe0, steps.extract(batch1, turns=turns))


def match_again(
    image0: SeenImage, image1: SeenImage, *, steps: Steps, options: ViewOptions
) -> PairAttempt:
    """Match two images as they were extracted, and look for better views whatever that finds.

    Args:
        image0: Image 0.
        image1: Image 1.
        steps: What detects, for the searches, and matches.
        options: The options.

    Returns:
        The best attempt.
    """
    first = pair_attempts(steps.attempt(image0.wireframe, image1.wireframe))[0]
    if np.isfinite(first.support):
        first = replace(first, support=0.0)
    in_views = [
        image.in_view or _each_once(image.batch, image.wireframe, steps)
        for image in (image0, image1)
    ]
    return better_attempt(
        first,
        _try_views(*in_views, steps=steps),
        image0.batch,
        image1.batch,
        vote=None,
        steps=steps,
        options=options,
    )


def _try_views(in_view0: InView, in_view1: InView, *, steps: Steps) -> TryViews:
    """Return what matches one pair in views."""

    def try_views(frames: Frames) -> PairAttempt:
        return pair_attempts(steps.attempt(in_view0(frames[0]), in_view1(frames[1])))[0]

    return try_views


def _each_once(batch: ImageBatch, wireframe: Wireframe, steps: Steps) -> InView:
    """Return what extracts an image in views, once in each."""
    known: dict[ViewFrame | None, Wireframe] = {wireframe.views[0]: wireframe}

    def in_view(frame: ViewFrame | None) -> Wireframe:
        if frame not in known:
            known[frame] = steps.extract(batch, views=[frame])
        return known[frame]

    return in_view
