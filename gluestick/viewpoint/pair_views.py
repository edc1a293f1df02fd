"""Pairs matched in the views that show the same alike."""

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
        try_views = _try_views(attempt, *batches, steps=steps)
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


def _try_views(
    first: PairAttempt, batch0: ImageBatch, batch1: ImageBatch, *, steps: Steps
) -> TryViews:
    """Return what extracts and matches one pair in views, each image once in each."""
    known: list[dict[ViewFrame | None, Wireframe]] = [
        {wireframe.views[0]: wireframe} for wireframe in (first.wireframe0, first.wireframe1)
    ]

    def try_views(frames: Frames) -> PairAttempt:
        for batch, wireframes, frame in zip((batch0, batch1), known, frames, strict=True):
            if frame not in wireframes:
                wireframes[frame] = steps.extract(batch, views=[frame])
        seen0, seen1 = (wireframes[frame] for wireframes, frame in zip(known, frames, strict=True))
        return pair_attempts(steps.attempt(seen0, seen1))[0]

    return try_views
