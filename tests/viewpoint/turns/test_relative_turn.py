from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from gluestick.checks import ShapeError
from gluestick.images import ContrastConfig
from gluestick.images.load import load_image
from gluestick.images.rotation import turn_image
from gluestick.viewpoint.turns.relative_turn import (
    NO_TURN,
    OrientedKeypoints,
    RelativeTurn,
    RelativeTurnConfig,
    estimate_relative_turn,
    oriented_keypoints,
    undoing_turn,
    vote_on_turn,
)

PAIRS = (("leuven", 0.0), ("graffiti", 17.0))
"""The pairs of photographs, and how far their second images are turned against the first."""


def made_vote(angle: float, *, confident: bool = True) -> RelativeTurn:
    return RelativeTurn(angle=angle, trust=9.0, num_inliers=20, confident=confident)


def difference(angle: float, expected: float) -> float:
    return abs((angle - expected + 180) % 360 - 180)


@pytest.fixture(params=PAIRS, ids=lambda pair: pair[0], scope="module")
def pair(request: pytest.FixtureRequest, assets: Path) -> tuple[Tensor, Tensor, float]:
    name, turn = request.param
    return load_image(assets / f"{name}_a.jpg"), load_image(assets / f"{name}_b.jpg"), turn


@pytest.mark.parametrize("angle", [0.0, 90.0, 180.0, -90.0, 33.0, -130.0])
def test_photographs_turned_against_each_other(
    pair: tuple[Tensor, Tensor, float], angle: float
) -> None:
    image0, image1, turn = pair
    vote = estimate_relative_turn(image0, turn_image(image1, angle=angle))
    assert vote.confident
    assert -180 < vote.angle <= 180
    assert difference(vote.angle, turn + angle) < 5
    opposite = estimate_relative_turn(turn_image(image1, angle=angle), image0)
    assert opposite.confident
    assert difference(opposite.angle, -turn - angle) < 5


def test_deep_data_that_uses_few_of_its_levels_votes_too(assets: Path) -> None:
    images = [load_image(assets / f"leuven_{side}.jpg") for side in "ab"]
    faint = [0.3 + 120 / 65535 * image for image in images]
    vote = estimate_relative_turn(faint[0], turn_image(faint[1], angle=90))
    assert vote.confident
    assert difference(vote.angle, 90) < 5
    as_they_are = ContrastConfig(mode="none")
    assert not estimate_relative_turn(*faint, contrast=as_they_are).confident


def test_no_confident_vote_between_different_scenes(assets: Path) -> None:
    scenes = [
        [oriented_keypoints(load_image(assets / f"{name}_{side}.jpg")) for side in "ab"]
        for name, _ in PAIRS
    ]
    for keypoints0 in scenes[0]:
        for keypoints1 in scenes[1]:
            assert not vote_on_turn(keypoints0, keypoints1).confident
            assert not vote_on_turn(keypoints1, keypoints0).confident


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (8, 8), (15, 200), (200, 150)])
def test_blank_and_tiny_images_have_no_opinion(size: tuple[int, int], assets: Path) -> None:
    blank = torch.full((3, *size), 0.5)
    noise = torch.rand((3, *size), generator=torch.Generator().manual_seed(0))
    photograph = load_image(assets / "leuven_a.jpg")
    for image0, image1 in ((blank, photograph), (photograph, blank), (noise, photograph)):
        assert not estimate_relative_turn(image0, image1).confident
    assert estimate_relative_turn(blank, blank) == NO_TURN


@pytest.mark.parametrize(
    ("num_matches", "confident"), [(0, False), (1, False), (7, False), (8, True)]
)
def test_a_few_matches_decide_nothing(num_matches: int, confident: bool) -> None:
    descriptors = np.eye(128, dtype=np.float32)[: max(num_matches, 2)]
    orientations = np.linspace(0, 300, len(descriptors), dtype=np.float32)
    positions = np.random.default_rng(0).uniform(size=(len(descriptors), 2)).astype(np.float32)
    keypoints0 = OrientedKeypoints(
        positions=positions[:num_matches],
        orientations=orientations[:num_matches],
        descriptors=descriptors[:num_matches],
    )
    keypoints1 = OrientedKeypoints(
        positions=positions[::-1], orientations=(orientations + 95) % 360, descriptors=descriptors
    )
    vote = vote_on_turn(keypoints0, keypoints1)
    assert vote.confident == confident
    assert vote.angle == pytest.approx(95 if num_matches else 0, abs=1e-3)


@pytest.mark.parametrize("turn", [40.0, 100.0])
def test_an_affine_map_confirms_a_weak_vote(turn: float) -> None:
    """A dozen matches among many wrong ones count if they move as their orientations turn."""
    rng = np.random.default_rng(0)
    descriptors = rng.normal(size=(150, 128)).astype(np.float32)
    descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
    positions = rng.uniform(size=(150, 2)).astype(np.float32)
    cosine, sine = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    moved = rng.uniform(size=(150, 2)).astype(np.float32)
    moved[:12] = positions[:12] @ np.array([[cosine, sine], [-sine, cosine]], np.float32)
    orientations = rng.uniform(0, 360, 150).astype(np.float32)
    turned = rng.uniform(0, 360, 150).astype(np.float32)
    turned[:12] = (orientations[:12] + turn) % 360
    keypoints = OrientedKeypoints(
        positions=positions, orientations=orientations, descriptors=descriptors
    )

    def vote_with(places: np.ndarray) -> RelativeTurn:
        others = OrientedKeypoints(positions=places, orientations=turned, descriptors=descriptors)
        return vote_on_turn(keypoints, others)

    vote = vote_with(moved)
    assert vote.trust < RelativeTurnConfig().min_trust
    assert vote.num_inliers >= 12
    assert vote.confident
    assert difference(vote.angle, turn) < 15
    unordered = vote_with(rng.permutation(moved))
    assert unordered.trust == vote.trust
    assert not unordered.confident
    # A map that mirrors or turns otherwise than the orientations confirms nothing.
    assert not vote_with(positions).confident


def test_masked_parts_do_not_vote(assets: Path) -> None:
    image = load_image(assets / "leuven_a.jpg")
    half = torch.zeros(image.shape[1:], dtype=torch.bool)
    half[:, : half.shape[1] // 2] = True
    assert estimate_relative_turn(image, image, mask0=half).confident
    assert not estimate_relative_turn(image, image, mask0=half, mask1=~half).confident
    assert estimate_relative_turn(image, image, mask1=~torch.ones_like(half)).trust == 0


@pytest.mark.parametrize(
    ("angle", "turn"),
    [(0, 0), (14, 0), (-14, 0), (100, -90), (-76, 90), (180, -180), (-170, 180), (16, -16)],
)
def test_undoing_snaps_to_multiples_of_90_degrees(angle: float, turn: float) -> None:
    assert undoing_turn(made_vote(angle)) == turn
    assert undoing_turn(made_vote(angle, confident=False)) == 0


def test_undoing_can_be_exact() -> None:
    assert undoing_turn(made_vote(92.5), config=RelativeTurnConfig(snap=0)) == -92.5


def test_errors() -> None:
    image = torch.zeros(3, 40, 50)
    with pytest.raises(ShapeError, match="mask needs the shape"):
        estimate_relative_turn(image, image, mask1=torch.ones(50, 40, dtype=torch.bool))
    with pytest.raises(ShapeError, match="image needs the shape"):
        estimate_relative_turn(image[0], image)
    with pytest.raises(ValueError, match="at least 1"):
        RelativeTurnConfig(size=0)
    with pytest.raises(ValueError, match="min_inliers needs"):
        RelativeTurnConfig(min_inliers=3)
    with pytest.raises(ValueError, match="snap needs"):
        RelativeTurnConfig(snap=46)
