from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from gluestick.images.load import load_image
from gluestick.images.rotation import turn_image
from gluestick.viewpoint.turns.relative_turn import RelativeTurn
from gluestick.viewpoint.turns.turn_synchronization import estimate_upright_turns, synchronize_turns


def vote(angle: float, *, trust: float = 8.0, confident: bool = True) -> RelativeTurn:
    angle = (angle + 180) % 360 - 180
    return RelativeTurn(angle=angle, trust=trust, num_inliers=9, confident=confident)


def true_turns(num_images: int, generator: np.random.Generator) -> np.ndarray:
    """Return by how much each image was turned, most of them not at all."""
    return 90.0 * generator.integers(0, 4, num_images) * (generator.random(num_images) < 0.4)


def undoing(turns: np.ndarray) -> list[float]:
    return [(-turn + 90) % 360 - 90 for turn in turns.tolist()]


@pytest.mark.parametrize("num_images", [2, 3, 12, 40])
def test_perfect_votes(num_images: int) -> None:
    generator = np.random.default_rng(num_images)
    turns = true_turns(num_images, generator)
    turns[0] = 0
    pairs = list(combinations(range(num_images), 2))
    votes = [vote(turns[j] - turns[i]) for i, j in pairs]
    assert synchronize_turns(votes, pairs=pairs, num_images=num_images) == undoing(turns)


@pytest.mark.parametrize("seed", range(5))
def test_noise_and_wrong_votes(seed: int) -> None:
    generator = np.random.default_rng(seed)
    turns = true_turns(30, generator)
    pairs = [(i, j) if generator.random() < 0.5 else (j, i) for i, j in combinations(range(30), 2)]
    angles = [
        generator.uniform(0, 360)
        if generator.random() < 0.4
        else turns[j] - turns[i] + generator.normal(0, 15)
        for i, j in pairs
    ]
    votes = [vote(angle, trust=generator.uniform(4, 11)) for angle in angles]
    assert synchronize_turns(votes, pairs=pairs, num_images=30) == undoing(turns)


def test_one_strong_wrong_vote_between_two_groups() -> None:
    groups = (range(5), range(5, 10))
    pairs = [pair for group in groups for pair in combinations(group, 2)]
    votes = [vote(0) for _ in pairs]
    pairs += [(0, 5), (1, 6), (7, 2)]
    votes += [vote(180, trust=12.0), vote(90, trust=7.0), vote(-90, trust=7.0)]
    turns = synchronize_turns(votes, pairs=pairs, num_images=10)
    assert turns == [0] * 5 + [-90] * 5


def test_a_chain_and_images_apart() -> None:
    pairs = [(0, 1), (2, 1), (4, 5)]
    votes = [vote(90), vote(180), vote(-90)]
    turns = synchronize_turns(votes, pairs=pairs, num_images=7)
    assert turns == [0, -90, 90, 0, 0, 90, 0]


def test_most_images_stay_as_they_are() -> None:
    pairs = [(0, 1), (0, 2), (0, 3)]
    assert synchronize_turns([vote(90)] * 3, pairs=pairs, num_images=4) == [90, 0, 0, 0]


def test_repeated_pairs_add_up() -> None:
    pairs = [(0, 1), (1, 0), (0, 1)]
    votes = [vote(90, trust=6), vote(-90, trust=6), vote(180, trust=9)]
    assert synchronize_turns(votes, pairs=pairs, num_images=2) == [0, -90]


def test_votes_without_confidence_and_no_votes() -> None:
    assert synchronize_turns([], pairs=[], num_images=0) == []
    assert synchronize_turns([], pairs=[], num_images=2) == [0, 0]
    doubtful = [vote(90, confident=False)]
    assert synchronize_turns(doubtful, pairs=[(0, 1)], num_images=2) == [0, 0]


def test_photographs_of_two_scenes(assets: Path) -> None:
    names = ("leuven_a", "graffiti_a", "leuven_b", "graffiti_b", "leuven_a")
    turned = (0, 0, 90, 180, 0)
    images = (
        turn_image(load_image(assets / f"{name}.jpg"), angle=angle)
        for name, angle in zip(names, turned, strict=True)
    )
    assert estimate_upright_turns(images) == [0, 0, -90, 180, 0]


def test_errors() -> None:
    with pytest.raises(ValueError, match="each pair needs a vote"):
        synchronize_turns([vote(0)], pairs=[], num_images=2)
    for pair in ((0, 2), (-1, 0), (1, 1)):
        with pytest.raises(ValueError, match="two different images"):
            synchronize_turns([vote(0)], pairs=[pair], num_images=2)
        with pytest.raises(ValueError, match="two different images"):
            estimate_upright_turns([], pairs=[pair])
