"""Which turn sets each photograph of a folder upright, with memory that does not grow with it."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from scipy.cluster.hierarchy import DisjointSet
from torch import Tensor

from gluestick.viewpoint.turns.relative_turn import (
    RelativeTurn,
    RelativeTurnConfig,
    oriented_keypoints,
    vote_on_turn,
)
from gluestick.viewpoint.turns.spilled_keypoints import SpilledKeypoints
from gluestick.viewpoint.turns.turn_synchronization import agree_with_known, synchronize_turns

IndexPair = tuple[int, int]

Search = Callable[[int, int], RelativeTurn]
"""Finds how far the second of two images, told by their indices, is turned against the first."""


def estimate_folder_turns(
    images: Iterable[Tensor | None],
    pairs: Iterable[IndexPair],
    *,
    known: Mapping[int, float] | None = None,
    search: Search | None = None,
    config: RelativeTurnConfig | None = None,
) -> list[float]:
    """Estimate how far to turn each photograph of a folder so that all agree.

    Args:
        images: Photographs [3, H, W] float32 in [0, 1], RGB, upright by EXIF; None for one that
            cannot be read. Each is needed once.
        pairs: The pairs of indices that vote; gone through once, after the images.
        known: The turns of some images, which stay.
        search: Asked about pairs without a confident vote, as long as no votes connect their
            images; None to leave them apart.
        config: The options of the votes.

    Returns:
        For each image 0, 90, 180 or -90 degrees from the x towards the y axis, for
        :meth:`gluestick.pipeline.PointLineMatcher.extract`; see
        :func:`gluestick.viewpoint.turns.turn_synchronization.synchronize_turns`.

    Raises:
        ValueError: If a pair names an image that does not exist, or one image twice.
    """
    with SpilledKeypoints() as keypoints:
        for image in images:
            shown = torch.zeros(3, 1, 1) if image is None else image
            keypoints.append(oriented_keypoints(shown, config=config))
        voted: list[IndexPair] = []
        votes: list[RelativeTurn] = []
        for i, j in pairs:
            voted.append((i, j))
            votes.append(vote_on_turn(keypoints[i], keypoints[j], config=config))
        num_images = len(keypoints)
    if search is not None:
        votes = _searched(votes, voted, search, num_images=num_images)
    turns = synchronize_turns(votes, pairs=voted, num_images=num_images)
    return agree_with_known(turns, votes, pairs=voted, known=known or {})


def _searched(
    votes: Sequence[RelativeTurn],
    pairs: Sequence[IndexPair],
    search: Search,
    *,
    num_images: int,
) -> list[RelativeTurn]:
    """Have pairs searched until votes connect their images."""
    connected = DisjointSet(range(num_images))
    for (i, j), vote in zip(pairs, votes, strict=True):
        if vote.confident:
            connected.merge(i, j)
    found = list(votes)
    for number, (i, j) in enumerate(pairs):
        if not connected.connected(i, j):
            found[number] = search(i, j)
            if found[number].confident:
                connected.merge(i, j)
    return found
