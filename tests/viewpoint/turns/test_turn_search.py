from pathlib import Path

import pytest
import torch
from torch import Tensor

from gluestick.checks import ShapeError
from gluestick.features.extractor import FeatureExtractor
from gluestick.images.load import load_image
from gluestick.images.rotation import turn_image
from gluestick.pipeline import PointLineMatcher
from gluestick.viewpoint.turns.relative_turn import NO_TURN
from gluestick.viewpoint.turns.turn_search import TurnSearchConfig, search_turn


@pytest.fixture(scope="module")
def extractor(small_matcher: PointLineMatcher) -> FeatureExtractor:
    assert small_matcher.extractor is not None
    return small_matcher.extractor


@pytest.mark.parametrize("angle", [0.0, 90.0, 180.0, -70.0, 25.0])
def test_photographs_turned_against_each_other(
    extractor: FeatureExtractor, leuven: tuple[Tensor, Tensor], angle: float
) -> None:
    image0, image1 = leuven
    found = search_turn(extractor, image0, turn_image(image1, angle=angle))
    assert found.confident
    assert found.num_inliers >= 20
    assert 1.5 < found.trust <= 8
    assert abs((found.angle - angle + 180) % 360 - 180) < 5


def test_different_scenes_give_nothing(
    extractor: FeatureExtractor, leuven: tuple[Tensor, Tensor], assets: Path
) -> None:
    other = load_image(assets / "graffiti_a.jpg")
    for image0, image1 in ((leuven[0], other), (other, leuven[1])):
        assert not search_turn(extractor, image0, image1).confident


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (8, 8), (200, 150)])
def test_blank_and_tiny_images_give_nothing(
    extractor: FeatureExtractor, leuven: tuple[Tensor, Tensor], size: tuple[int, int]
) -> None:
    blank = torch.full((3, *size), 0.5)
    assert search_turn(extractor, blank, leuven[0]) == NO_TURN
    assert search_turn(extractor, leuven[0], blank) == NO_TURN


def test_masked_parts_take_no_part(
    extractor: FeatureExtractor, leuven: tuple[Tensor, Tensor]
) -> None:
    image = leuven[0]
    half = torch.zeros(image.shape[1:], dtype=torch.bool)
    half[:, : half.shape[1] // 2] = True
    assert search_turn(extractor, image, image, mask0=half).confident
    assert not search_turn(extractor, image, image, mask0=half, mask1=~half).confident


def test_the_options(extractor: FeatureExtractor, leuven: tuple[Tensor, Tensor]) -> None:
    upside_down = turn_image(leuven[1], angle=180)
    one_turn = TurnSearchConfig(num_turns=1)
    assert not search_turn(extractor, leuven[0], upside_down, config=one_turn).confident
    many = TurnSearchConfig(num_turns=2, min_inliers=10**6)
    found = search_turn(extractor, leuven[0], upside_down, config=many)
    assert abs(found.angle) > 175
    assert not found.confident
    outstanding = TurnSearchConfig(min_ratio=100.0)
    found = search_turn(extractor, leuven[0], upside_down, config=outstanding)
    assert abs(found.angle) > 175
    assert found.num_inliers >= 20
    assert not found.confident


def test_errors(extractor: FeatureExtractor) -> None:
    image = torch.zeros(3, 40, 50)
    with pytest.raises(ShapeError, match="mask needs the shape"):
        search_turn(extractor, image, image, mask0=torch.ones(50, 40, dtype=torch.bool))
    for name in ("size", "max_num_keypoints", "num_turns"):
        with pytest.raises(ValueError, match=f"{name} needs to be at least 1"):
            TurnSearchConfig(**{name: 0})
    with pytest.raises(ValueError, match="min_inliers needs"):
        TurnSearchConfig(min_inliers=3)
    with pytest.raises(ValueError, match="max_error needs"):
        TurnSearchConfig(max_error=0.0)
