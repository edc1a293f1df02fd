"""What came of matching images in some views."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor

from gluestick.features.extractor import FeatureExtractor
from gluestick.features.image_batch import ImageBatch
from gluestick.timing import StageTimer
from gluestick.transfers import to_host
from gluestick.types import Matches, ViewFrame, Wireframe
from gluestick.wireframe.collate import split_wireframe

Frames = tuple[ViewFrame | None, ViewFrame | None]
"""The views of both images; None for an image as it is."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """The images of a batch of pairs extracted in some views, and matched there."""

    wireframe0: Wireframe
    wireframe1: Wireframe
    matches: Matches


@dataclass(frozen=True, kw_only=True)
class PairAttempt:
    """One pair extracted in some views and matched there, with what tells how well it matched.

    Attributes:
        wireframe0: The wireframe of image 0, of a batch of one.
        wireframe1: The wireframe of image 1.
        points0: [M, 2] float64 px, the matched keypoints of image 0.
        points1: [M, 2] float64 px, those of image 1.
        size0: (width, height) px of image 0.
        size1: (width, height) px of image 1.
        confidence: The sum of the scores of the matched keypoints and lines.
        support: The sum of the scores of the matched keypoints, over the number of keypoints of
            the image with fewer; infinite where one has none.
        matches: All matches; None for a pair of a larger batch.
    """

    wireframe0: Wireframe
    wireframe1: Wireframe
    points0: np.ndarray
    points1: np.ndarray
    size0: tuple[int, int]
    size1: tuple[int, int]
    confidence: float
    support: float
    matches: Matches | None


TryViews = Callable[[Frames], PairAttempt]
"""Extracts the images of one pair in these views, and matches them."""


class Extract(Protocol):
    """Extracts a batch of images."""

    def __call__(
        self,
        batch: ImageBatch,
        *,
        turns: Sequence[float] | None = None,
        views: Sequence[ViewFrame | None] | None = None,
    ) -> Wireframe:
        """Return their wireframes, see :meth:`gluestick.pipeline.PointLineMatcher.extract`."""


class ExtractPairs(Protocol):
    """Extracts both sides of a batch of pairs of images, side by side where that is faster."""

    def __call__(
        self, batch0: ImageBatch, batch1: ImageBatch, *, turns: Sequence[float] | None = None
    ) -> tuple[Wireframe, Wireframe]:
        """Return their wireframes; ``turns`` are those of the images 1."""


@dataclass(frozen=True, kw_only=True)
class Steps:
    """What extracts and matches.

    Attributes:
        extractor: Detects what searches compare; None where there is only a network.
        extract: Extracts a batch of images.
        extract_pairs: Extracts both sides of a batch of pairs.
        match: Matches two batches of wireframes.
        timer: Where the seconds of votes and searches are added up, as the stage "rotation".
    """

    extractor: FeatureExtractor | None
    extract: Extract
    extract_pairs: ExtractPairs
    match: Callable[[Wireframe, Wireframe], Matches]
    timer: StageTimer

    def attempt(self, wireframe0: Wireframe, wireframe1: Wireframe) -> Attempt:
        """Match two batches of wireframes."""
        matches = self.match(wireframe0, wireframe1)
        return Attempt(wireframe0=wireframe0, wireframe1=wireframe1, matches=matches)


def pair_attempts(attempt: Attempt) -> list[PairAttempt]:
    """Take an attempt apart into those of the pairs; a device is asked once, or twice for many."""
    wireframe0, wireframe1, matches = attempt.wireframe0, attempt.wireframe1, attempt.matches
    points = matching_scores(matches)
    apart = matches.junction_matches0 is not None
    counts = [
        wireframe.keypoint_mask.sum(dim=1) - (wireframe.num_junctions if apart else 0)
        for wireframe in (wireframe0, wireframe1)
    ]
    positions0, positions1, partners, sizes0, sizes1, scores, lines, counts0, counts1 = to_host(
        wireframe0.keypoints,
        wireframe1.keypoints,
        matches.matches0,
        wireframe0.image_size,
        wireframe1.image_size,
        points,
        line_matching_scores(matches),
        *counts,
    )
    single = len(partners) == 1
    singles0 = [wireframe0] if single else split_wireframe(wireframe0)
    singles1 = [wireframe1] if single else split_wireframe(wireframe1)
    found = []
    for index, partner in enumerate(partners):
        matched = partner > -1
        fewer = min(int(counts0[index]), int(counts1[index]))
        found.append(
            PairAttempt(
                wireframe0=singles0[index],
                wireframe1=singles1[index],
                points0=positions0[index][matched].astype(np.float64),
                points1=positions1[index][partner[matched]].astype(np.float64),
                size0=(int(sizes0[index, 0]), int(sizes0[index, 1])),
                size1=(int(sizes1[index, 0]), int(sizes1[index, 1])),
                confidence=float(scores[index] + lines[index]),
                support=float(scores[index]) / fewer if fewer > 0 else float("inf"),
                matches=matches if single else None,
            )
        )
    return found


def matching_scores(matches: Matches) -> Tensor:
    """Return for each pair the sum of the scores of its matches of keypoints, [B]."""
    return matches.matching_scores0.where(matches.matches0 > -1, 0).sum(dim=1)


def line_matching_scores(matches: Matches) -> Tensor:
    """Return for each pair the sum of the scores of its matches of lines, [B]."""
    return matches.line_matching_scores0.where(matches.line_matches0 > -1, 0).sum(dim=1)
