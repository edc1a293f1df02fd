"""How far to turn the second image of a pair so that it shows things as the first does."""

from gluestick.features.extractor import FeatureExtractor
from gluestick.features.image_batch import ImageBatch, one_per_image
from gluestick.images import ContrastConfig
from gluestick.viewpoint.turns.relative_turn import (
    RelativeTurnConfig,
    estimate_relative_turn,
    undoing_turn,
)
from gluestick.viewpoint.turns.turn_search import TurnSearchConfig, search_turn

_QUARTER_TURNS = (0.0, 90.0, 180.0, -90.0)


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


def turns_to_try(
    extractor: FeatureExtractor,
    batch0: ImageBatch,
    batch1: ImageBatch,
    *,
    vote: float | None,
    every_turn: bool,
    relative_turn: RelativeTurnConfig,
    turn_search: TurnSearchConfig,
) -> list[float]:
    """Search for other turns of image 1 of a doubtful pair than the one it was matched in.

    Args:
        extractor: Detects what the search compares.
        batch0: Image 0, a batch of one.
        batch1: Image 1, a batch of one.
        vote: For which turn the pair voted, None for none: then it was matched as it is.
        every_turn: Whether the upright turns are tried of a pair without a vote.
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
    turns = list(_QUARTER_TURNS) if every_turn and vote is None else []
    if found.confident:
        turns.append(undoing_turn(found, config=relative_turn))
    present = vote or 0.0
    return [turn for turn in dict.fromkeys(turns) if (turn - present) % 360]
