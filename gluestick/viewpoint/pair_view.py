"""In which view to see the second image of a pair so that it shows things as the first does.

The steps rise in cost: a vote before anything is extracted, a look at what was matched in the
view that it tells, and a search, with views to try, for the pairs that matched next to nothing.
Who has the matcher (:mod:`gluestick.pipeline`) extracts and matches between them.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from gluestick.features.extractor import FeatureExtractor, one_per_image
from gluestick.features.image_batch import ImageBatch
from gluestick.images import ContrastConfig
from gluestick.transfers import to_host
from gluestick.types import Matches, Wireframe
from gluestick.viewpoint.relative_turn import (
    RelativeTurnConfig,
    estimate_relative_turn,
    undoing_turn,
)
from gluestick.viewpoint.turn_search import TurnSearchConfig, search_turn

Rotation = Literal["none", "auto", "exhaustive"]
"""``none``: images are taken as they are. ``auto``: where a vote is confident that image 1 is
turned against image 0, it is turned back; where matching then finds next to nothing, another turn
is searched with the detector, and kept if it matches better. ``exhaustive``: as ``auto``, and
wherever the vote is not confident, the turn that the search finds and the four upright turns are
all tried with the matcher itself."""

View = Literal["none", "turn", "exhaustive"]
"""In which view the second image is seen; the words of ``from_pretrained``."""

ROTATION_OF_VIEW: dict[View, Rotation] = {
    "none": "none",
    "turn": "auto",
    "exhaustive": "exhaustive",
}

ROTATIONS = ("none", "auto", "exhaustive")

_QUARTER_TURNS = (0.0, 90.0, 180.0, -90.0)


def check_rotation(rotation: Rotation) -> Rotation:
    """Return a way to find turns if there is such a one.

    Raises:
        ValueError: If there is not.
    """
    if rotation not in ROTATIONS:
        raise ValueError(f"rotation needs to be one of {', '.join(ROTATIONS)}, found {rotation!r}")
    return rotation


def vote_turns(
    batch0: ImageBatch,
    batch1: ImageBatch,
    *,
    config: RelativeTurnConfig | None = None,
    contrast: ContrastConfig | None = None,
) -> list[float | None]:
    """Vote on how far image 1 of each pair has to be turned to show things as image 0 does.

    Args:
        batch0: The images 0.
        batch1: The images 1, as many.
        config: The options of the vote.
        contrast: How the contrast of images is stretched first; the defaults if left out.

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
        estimate_relative_turn(
            image0, image1, mask0=mask0, mask1=mask1, config=config, contrast=contrast
        )
        for image0, image1, mask0, mask1 in zip(
            batch0.images, batch1.images, masks0, masks1, strict=True
        )
    )
    return [undoing_turn(vote, config=config) if vote.confident else None for vote in votes]


def doubtful_pairs(
    wireframe0: Wireframe,
    wireframe1: Wireframe,
    matches: Matches,
    *,
    votes: Sequence[float | None],
    rotation: Rotation,
    min_support: float,
) -> list[int]:
    """Return the pairs for which other views are worth a try.

    Args:
        wireframe0: The wireframes of the images 0.
        wireframe1: The wireframes of the images 1, each in the view for which its pair voted.
        matches: The matches between them.
        votes: What :func:`vote_turns` returned.
        rotation: Whether pairs are in doubt that did not vote, too.
        min_support: Pairs are in doubt whose matching scores add up to less than this share of
            the number of keypoints of the image with fewer.

    Returns:
        Indices of pairs; none of a pair with an image without keypoints.
    """
    apart = matches.junction_matches0 is not None
    counts = [
        wireframe.keypoint_mask.sum(dim=1) - (wireframe.num_junctions if apart else 0)
        for wireframe in (wireframe0, wireframe1)
    ]
    fewer = torch.minimum(*counts)  # [B]
    doubtful = _point_scores(matches) < min_support * fewer
    if rotation == "exhaustive":
        doubtful |= torch.tensor([vote is None for vote in votes], device=doubtful.device)
    return np.flatnonzero(*to_host(doubtful & (fewer > 0))).tolist()


def turns_to_try(
    extractor: FeatureExtractor,
    batch0: ImageBatch,
    batch1: ImageBatch,
    *,
    vote: float | None,
    rotation: Rotation,
    relative_turn: RelativeTurnConfig,
    turn_search: TurnSearchConfig,
) -> list[float]:
    """Search for other turns of image 1 of a doubtful pair than the one it was matched in.

    Args:
        extractor: Detects what the search compares.
        batch0: Image 0, a batch of one.
        batch1: Image 1, a batch of one.
        vote: For which turn the pair voted, None for none: then it was matched as it is.
        rotation: Whether the upright turns are tried of a pair without a vote.
        relative_turn: From which angles on a found turn counts as a multiple of 90 degrees.
        turn_search: The options of the search.

    Returns:
        Turns that are worth to extract and match image 1 in, degrees from the x towards the y
        axis; often none.

    Raises:
        ShapeError: If an image or a mask has another shape.
    """
    mask0, mask1 = (None if batch.masks is None else batch.masks[0] for batch in (batch0, batch1))
    found = search_turn(
        extractor,
        batch0.images[0],
        batch1.images[0],
        mask0=mask0,
        mask1=mask1,
        config=turn_search,
    )
    turns = list(_QUARTER_TURNS) if rotation == "exhaustive" and vote is None else []
    if found.confident:
        turns.append(undoing_turn(found, config=relative_turn))
    present = vote or 0.0
    return [turn for turn in dict.fromkeys(turns) if (turn - present) % 360]


def matching_confidences(matches: Matches) -> Tensor:
    """Return for each pair the sum of the scores of its matches of keypoints and lines, [B]."""
    lines = matches.line_matching_scores0.where(matches.line_matches0 > -1, 0).sum(dim=1)
    return _point_scores(matches) + lines


def _point_scores(matches: Matches) -> Tensor:
    return matches.matching_scores0.where(matches.matches0 > -1, 0).sum(dim=1)
