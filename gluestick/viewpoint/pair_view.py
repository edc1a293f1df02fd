"""Finding how the second image of a pair is turned, and matching it turned back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from gluestick.features.extractor import FeatureExtractor, one_per_image
from gluestick.timing import StageTimer
from gluestick.transfers import to_host
from gluestick.types import Lines, Matches, Wireframe
from gluestick.viewpoint.relative_turn import (
    RelativeTurnConfig,
    estimate_relative_turn,
    undoing_turn,
)
from gluestick.viewpoint.turn_search import TurnSearchConfig, search_turn
from gluestick.wireframe.collate import split_wireframe, stack_wireframes

Rotation = Literal["none", "auto", "exhaustive"]
"""``none``: images are taken as they are. ``auto``: where a vote is confident that image 1 is
turned against image 0, it is turned back; where matching then finds next to nothing, another turn
is searched with the detector, and kept if it matches better. ``exhaustive``: as ``auto``, and
wherever the vote is not confident, the turn that the search finds and the four upright turns are
all tried with the matcher itself."""

ROTATIONS = ("none", "auto", "exhaustive")

_QUARTER_TURNS = (0.0, 90.0, 180.0, -90.0)


class TurningMatcher(Protocol):
    """A matcher that extracts and matches turned images.

    Attributes:
        extractor: Detects what the search for a turn compares.
        rotation: How turns are found.
        relative_turn: The options of the vote.
        turn_search: The options of the search.
    """

    extractor: FeatureExtractor | None
    rotation: Rotation
    relative_turn: RelativeTurnConfig
    turn_search: TurnSearchConfig

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

    def take(self, index: int) -> "ImageBatch":
        """Return a batch of one image."""
        one = slice(index, index + 1)
        return ImageBatch(
            images=self.images[one],
            masks=None if self.masks is None else self.masks[one],
            lines=None if self.lines is None else self.lines[one],
        )


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


def match_turned(
    matcher: TurningMatcher,
    wireframe0: Wireframe,
    batch0: ImageBatch,
    batch1: ImageBatch,
    *,
    timer: StageTimer,
) -> tuple[Wireframe, Matches]:
    """Turn image 1 of each pair as image 0 is, extract and match it.

    Args:
        matcher: Says how turns are found, extracts and matches.
        wireframe0: The wireframes of the images 0, which are not turned.
        batch0: The images 0.
        batch1: The images 1, as many.
        timer: Where the seconds of the stage "rotation" and of the matcher's are added up.

    Returns:
        The wireframes of the images 1 in px of the images as they are, and the matches.

    Raises:
        ValueError: If the numbers of images, masks and lines differ.
    """
    with timer.stage("rotation"):
        votes = vote_turns(batch0, batch1, config=matcher.relative_turn)
    turns = [vote or 0.0 for vote in votes]
    wireframe1 = matcher.extract(
        batch1.images, masks=batch1.masks, lines=batch1.lines, turns=turns, timer=timer
    )
    matches = matcher.match(wireframe0, wireframe1, turns1=turns, timer=timer)
    doubtful = _doubtful_pairs(matcher, wireframe0, wireframe1, matches, votes=votes)
    if not doubtful:
        return wireframe1, matches
    singles0, confidences, better = split_wireframe(wireframe0), _confidences(matches), {}
    for index in doubtful:
        attempt = _best_attempt(
            matcher,
            singles0[index],
            batch0.take(index),
            batch1.take(index),
            turn=turns[index],
            voted=votes[index] is not None,
            timer=timer,
        )
        if attempt is not None and attempt.confidence > float(confidences[index]):
            better[index] = attempt
    if not better:
        return wireframe1, matches
    if len(turns) == 1:
        return better[0].wireframe1, better[0].matches
    singles = split_wireframe(wireframe1)
    for index, attempt in better.items():
        singles[index], turns[index] = attempt.wireframe1, attempt.turn
    wireframe1 = stack_wireframes(singles)
    return wireframe1, matcher.match(wireframe0, wireframe1, turns1=turns, timer=timer)


@dataclass(frozen=True, kw_only=True)
class _Attempt:
    """One pair, extracted and matched with image 1 turned."""

    turn: float
    wireframe1: Wireframe
    matches: Matches

    @property
    def confidence(self) -> float:
        return float(_confidences(self.matches)[0])


def _doubtful_pairs(
    matcher: TurningMatcher,
    wireframe0: Wireframe,
    wireframe1: Wireframe,
    matches: Matches,
    *,
    votes: Sequence[float | None],
) -> list[int]:
    """Return the pairs for which other turns are tried."""
    apart = matches.junction_matches0 is not None
    counts = [
        wireframe.keypoint_mask.sum(dim=1) - (wireframe.num_junctions if apart else 0)
        for wireframe in (wireframe0, wireframe1)
    ]
    fewer = torch.minimum(*counts)  # [B]
    scores = matches.matching_scores0.where(matches.matches0 > -1, 0).sum(dim=1)
    doubtful = scores < matcher.turn_search.min_support * fewer
    if matcher.rotation == "exhaustive":
        doubtful |= torch.tensor([vote is None for vote in votes], device=doubtful.device)
    return np.flatnonzero(*to_host(doubtful & (fewer > 0))).tolist()


def _best_attempt(
    matcher: TurningMatcher,
    wireframe0: Wireframe,
    batch0: ImageBatch,
    batch1: ImageBatch,
    *,
    turn: float,
    voted: bool,
    timer: StageTimer,
) -> _Attempt | None:
    """Try other turns than the present one on one pair, if there are any worth trying."""
    if matcher.extractor is None:
        return None
    masks = [None if batch.masks is None else batch.masks[0] for batch in (batch0, batch1)]
    with timer.stage("rotation"):
        found = search_turn(
            matcher.extractor,
            batch0.images[0],
            batch1.images[0],
            mask0=masks[0],
            mask1=masks[1],
            config=matcher.turn_search,
        )
    others = list(_QUARTER_TURNS) if matcher.rotation == "exhaustive" and not voted else []
    if found.confident:
        others.append(undoing_turn(found, config=matcher.relative_turn))
    attempts = []
    for other in dict.fromkeys(others):
        if (other - turn) % 360 == 0:
            continue
        wireframe1 = matcher.extract(
            batch1.images, masks=batch1.masks, lines=batch1.lines, turns=[other], timer=timer
        )
        matches = matcher.match(wireframe0, wireframe1, turns1=[other], timer=timer)
        attempts.append(_Attempt(turn=other, wireframe1=wireframe1, matches=matches))
    return max(attempts, key=lambda attempt: attempt.confidence, default=None)


def _confidences(matches: Matches) -> Tensor:
    """Return for each pair the sum of the scores of its matches of keypoints and lines, [B]."""
    points = matches.matching_scores0.where(matches.matches0 > -1, 0).sum(dim=1)
    lines = matches.line_matching_scores0.where(matches.line_matches0 > -1, 0).sum(dim=1)
    return points + lines
