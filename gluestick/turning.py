"""Which way the second image of a pair is turned before anything is detected in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor

from gluestick.features.extractor import one_per_image
from gluestick.features.relative_turn import (
    RelativeTurnConfig,
    estimate_relative_turn,
    undoing_turn,
)
from gluestick.timing import StageTimer
from gluestick.types import Lines, Matches, Wireframe
from gluestick.wireframe.collate import split_wireframe, stack_wireframes

Rotation = Literal["none", "auto", "exhaustive"]
"""``none``: images are taken as they are. ``auto``: where a vote is confident that image 1 is
turned against image 0, it is turned back. ``exhaustive``: as ``auto``, and where the vote is not
confident, the four upright turns are tried with the matcher itself."""

ROTATIONS = ("none", "auto", "exhaustive")

_QUARTER_TURNS = (0.0, 90.0, 180.0, -90.0)


class TurningMatcher(Protocol):
    """A matcher that extracts and matches turned images."""

    def extract(
        self,
        images: Sequence[Tensor],
        *,
        masks: Sequence[Tensor | None] | None = None,
        lines: Sequence[Lines | None] | None = None,
        turns: Sequence[float] | None = None,
        timer: StageTimer | None = None,
    ) -> Wireframe:
        """See :meth:`gluestick.pipeline.PointLineMatcher.extract`."""

    def match(
        self,
        wireframe0: Wireframe,
        wireframe1: Wireframe,
        *,
        turns0: Sequence[float] | None = None,
        turns1: Sequence[float] | None = None,
        timer: StageTimer | None = None,
    ) -> Matches:
        """See :meth:`gluestick.pipeline.PointLineMatcher.match`."""


@dataclass(frozen=True, kw_only=True)
class ImageBatch:
    """Images and what the user knows about each.

    Attributes:
        images: B images [3, H, W] float32 in [0, 1], RGB.
        masks: For each image [H, W] bool or None; or None.
        lines: For each image segments in place of detected ones, or None; or None.
    """

    images: Sequence[Tensor]
    masks: Sequence[Tensor | None] | None
    lines: Sequence[Lines | None] | None


def check_rotation(rotation: Rotation) -> Rotation:
    """Return a way to find turns if there is such a one.

    Raises:
        ValueError: If there is not.
    """
    if rotation not in ROTATIONS:
        raise ValueError(f"rotation needs to be one of {', '.join(ROTATIONS)}, found {rotation!r}")
    return rotation


def vote_turns(
    batch0: ImageBatch, batch1: ImageBatch, *, config: RelativeTurnConfig | None = None
) -> list[float | None]:
    """Vote on how far image 1 of each pair has to be turned to show things as image 0 does.

    Args:
        batch0: The images 0.
        batch1: The images 1, as many.
        config: The options of the vote.

    Returns:
        For each pair degrees from the x towards the y axis, or None where the vote is not
        confident.

    Raises:
        ValueError: If the numbers of images or masks differ.
    """
    if len(batch0.images) != len(batch1.images):
        raise ValueError(
            "both sides need the same number of images, found "
            f"{len(batch0.images)} and {len(batch1.images)}"
        )
    masks0, masks1 = (
        one_per_image(batch.masks, batch.images, name="masks") for batch in (batch0, batch1)
    )
    votes = (
        estimate_relative_turn(image0, image1, mask0=mask0, mask1=mask1, config=config)
        for image0, image1, mask0, mask1 in zip(
            batch0.images, batch1.images, masks0, masks1, strict=True
        )
    )
    return [undoing_turn(vote, config=config) if vote.confident else None for vote in votes]


def extract_turned(
    matcher: TurningMatcher,
    wireframe0: Wireframe,
    batch0: ImageBatch,
    batch1: ImageBatch,
    *,
    exhaustive: bool,
    timer: StageTimer,
    config: RelativeTurnConfig | None = None,
) -> tuple[Wireframe, list[float]]:
    """Extract image 1 of each pair turned as image 0 is.

    Args:
        matcher: Extracts and matches.
        wireframe0: The wireframes of the images 0, which are not turned.
        batch0: The images 0.
        batch1: The images 1, as many.
        exhaustive: Whether the four upright turns are tried where the vote is not confident.
        timer: Where the seconds of the stage "rotation" and of the matcher's are added up.
        config: The options of the vote.

    Returns:
        The wireframes of the images 1 in px of the images as they are, and for each how far it
        was turned, degrees from the x towards the y axis.

    Raises:
        ValueError: If the numbers of images, masks and lines differ.
    """
    with timer.stage("rotation"):
        votes = vote_turns(batch0, batch1, config=config)
    masks = one_per_image(batch1.masks, batch1.images, name="masks")
    lines = one_per_image(batch1.lines, batch1.images, name="lines")
    turns, wireframes = [], []
    for index, (single0, vote) in enumerate(zip(split_wireframe(wireframe0), votes, strict=True)):
        candidates = _QUARTER_TURNS if exhaustive and vote is None else (vote or 0.0,)
        extracted = [
            matcher.extract(
                [batch1.images[index]],
                masks=[masks[index]],
                lines=[lines[index]],
                turns=[turn],
                timer=timer,
            )
            for turn in candidates
        ]
        best = 0
        if len(candidates) > 1:
            matched = [
                matcher.match(single0, single1, turns1=[turn], timer=timer)
                for single1, turn in zip(extracted, candidates, strict=True)
            ]
            confidences = [_confidence(matches) for matches in matched]
            best = confidences.index(max(confidences))
        turns.append(candidates[best])
        wireframes.append(extracted[best])
    return stack_wireframes(wireframes), turns


def _confidence(matches: Matches) -> float:
    """Return the sum of the scores of all matches of keypoints and lines."""
    points = matches.matching_scores0[matches.matches0 > -1].sum()
    lines = matches.line_matching_scores0[matches.line_matches0 > -1].sum()
    return float(points + lines)
