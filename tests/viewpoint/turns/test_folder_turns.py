from collections.abc import Sequence
from itertools import combinations

import pytest
import torch
from torch import Tensor

from gluestick.images.rotation import turn_image
from gluestick.viewpoint.turns.folder_turns import estimate_folder_turns
from gluestick.viewpoint.turns.relative_turn import NO_TURN, RelativeTurn, oriented_keypoints
from gluestick.viewpoint.turns.spilled_keypoints import SpilledKeypoints
from gluestick.viewpoint.turns.turn_synchronization import agree_with_known, estimate_upright_turns

ALL = list(combinations(range(4), 2))


def turned(leuven: tuple[Tensor, Tensor], turns: Sequence[float]) -> list[Tensor]:
    return [
        turn_image(leuven[number % 2], angle=turn).contiguous() for number, turn in enumerate(turns)
    ]


def test_a_folder_agrees(leuven: tuple[Tensor, Tensor]) -> None:
    images = turned(leuven, (0, 90, 0, 180))
    found = estimate_folder_turns(iter(images), iter(ALL))
    assert found == [0, -90, 0, 180]
    assert found == estimate_upright_turns(images, pairs=ALL)


def test_known_turns_stay(leuven: tuple[Tensor, Tensor]) -> None:
    images = turned(leuven, (0, 90, 0, 180))
    assert estimate_folder_turns(images, ALL, known={0: 90.0}) == [90, 0, 90, -90]
    assert estimate_folder_turns(images, ALL, known={1: -90.0, 2: 0.0}) == [0, -90, 0, 180]


def test_unreadable_images_do_not_vote(leuven: tuple[Tensor, Tensor]) -> None:
    images = [leuven[0], None, *turned(leuven, (0, 90))]
    assert estimate_folder_turns(images, ALL) == [0, 0, 0, -90]
    assert estimate_folder_turns([], []) == []
    assert estimate_folder_turns([None], []) == [0]


def test_pairs_that_no_votes_connect_are_searched() -> None:
    blank = torch.full((3, 40, 40), 0.5)
    asked = []

    def search(i: int, j: int) -> RelativeTurn:
        asked.append((i, j))
        if (i, j) == (0, 3):
            return NO_TURN
        return RelativeTurn(angle=90.0 * (j - i), trust=5.0, num_inliers=20, confident=True)

    pairs = [(0, 3), (0, 1), (1, 2), (0, 2), (2, 3)]
    assert estimate_folder_turns([blank] * 4, pairs, search=search) == [0, -90, 180, 90]
    assert asked == [(0, 3), (0, 1), (1, 2), (2, 3)]
    assert estimate_folder_turns([blank] * 4, pairs) == [0, 0, 0, 0]


def test_most_known_turns_decide() -> None:
    votes = [RelativeTurn(angle=0.0, trust=9.0, num_inliers=9, confident=True)] * 3
    pairs = [(0, 1), (1, 2), (2, 3)]
    known = {0: 90.0, 1: 90.0, 2: 0.0}
    assert agree_with_known([0.0] * 5, votes, pairs=pairs, known=known) == [90, 90, 0, 90, 0]


def test_spilled_keypoints_are_the_same(leuven: tuple[Tensor, Tensor]) -> None:
    own = [oriented_keypoints(image) for image in (*leuven, torch.zeros(3, 1, 1))]
    with SpilledKeypoints() as spilled:
        for keypoints in own:
            spilled.append(keypoints)
        assert len(spilled) == 3
        for index in (2, 0, 1):
            for name in ("positions", "orientations", "descriptors"):
                expected, found = (getattr(value, name) for value in (own[index], spilled[index]))
                assert found.shape == expected.shape
                assert (found == expected).all()
        with pytest.raises(IndexError):
            spilled[3]
