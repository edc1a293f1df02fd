from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from gluestick.checks import ShapeError
from gluestick.supervision.line_overlap import line_overlaps_by_depth, line_overlaps_by_homography
from gluestick.supervision.reprojection import DepthPair

SHIFT = torch.tensor([[[1.0, 0.0, -15.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])


def lines(*segments: tuple[float, float, float, float]) -> Tensor:
    return torch.tensor([segments], dtype=torch.float32).reshape(1, -1, 2, 2)


LINES0 = lines((40, 20, 140, 20))
CANDIDATES = {
    "whole": ((25, 21, 125, 19), True),
    "fragment of a tenth": ((60, 20, 70, 20), True),
    "overlapping by a half": ((0, 20, 50, 20), True),
    "overlapping by a seventh": ((0, 20, 29, 20), False),
    "beyond the end": ((0, 20, 20, 20), False),
    "parallel": ((25, 26, 125, 26), False),
    "across": ((75, 10, 75, 30), False),
    "across, and short": ((75, 13, 75, 27), False),
    "without length": ((75, 20, 75, 20), False),
}


@pytest.mark.parametrize("name", CANDIDATES)
@pytest.mark.parametrize("swapped", [False, True])
def test_homography(name: str, swapped: bool, image_size: Tensor) -> None:
    segment, expected = CANDIDATES[name]
    pair, H = (LINES0, lines(segment)), SHIFT
    if swapped:
        pair, H = pair[::-1], torch.linalg.inv(SHIFT)
    overlaps = line_overlaps_by_homography(
        *pair, torch.tensor([[0]]), H, image_size0=image_size, image_size1=image_size
    )
    assert overlaps.judged.tolist() == [[True]]
    assert overlaps.overlapping.tolist() == [[expected]]


def test_only_matched_lines_are_judged(wall_pair: DepthPair) -> None:
    lines0 = lines((40, 20, 100, 20), (60, 40, 60, 90), (30, 100, 120, 110))
    lines1 = lines((45, 91, 45, 42), (25, 20, 40, 20))
    overlaps = line_overlaps_by_depth(lines0, lines1, torch.tensor([[1, -1, 0]]), wall_pair)
    assert overlaps.judged.tolist() == [[True, False, True]]
    assert overlaps.overlapping.tolist() == [[True, False, False]]


def test_either_depth_is_enough(wall_pair: DepthPair) -> None:
    unknown = torch.zeros_like(wall_pair.depth0)
    partner, matches = lines((25, 20, 125, 20)), torch.tensor([[0]])
    pair = replace(wall_pair, depth0=unknown)
    overlaps = line_overlaps_by_depth(LINES0, partner, matches, pair)
    assert overlaps.judged.all()
    assert overlaps.overlapping.all()
    pair = replace(pair, depth1=unknown)
    overlaps = line_overlaps_by_depth(LINES0, partner, matches, pair)
    assert not overlaps.judged.any()
    assert not overlaps.overlapping.any()


@pytest.mark.parametrize(("number0", "number1"), [(0, 0), (2, 0), (0, 2)])
def test_without_matches(number0: int, number1: int, wall_pair: DepthPair) -> None:
    lines0, lines1 = torch.rand(1, number0, 2, 2), torch.rand(1, number1, 2, 2)
    matches = torch.full((1, number0), -1)
    overlaps = line_overlaps_by_depth(lines0, lines1, matches, wall_pair)
    assert overlaps.judged.shape == overlaps.overlapping.shape == (1, number0)
    assert not overlaps.judged.any()


def test_a_batch_gives_what_the_pairs_give(image_size: Tensor) -> None:
    generator = torch.Generator().manual_seed(0)
    lines0 = torch.rand(2, 40, 2, 2, generator=generator) * 100 + 15
    lines1 = lines0 - torch.tensor([15.0, 0.0]) + torch.randn(2, 40, 2, 2, generator=generator)
    matches = torch.stack([torch.randperm(40, generator=generator), torch.arange(40)])
    size, H = image_size.expand(2, 2), SHIFT.expand(2, 3, 3)
    together = line_overlaps_by_homography(
        lines0, lines1, matches, H, image_size0=size, image_size1=size
    )
    assert together.overlapping[1].all()
    assert together.overlapping[0].float().mean() < 0.5
    for index in range(2):
        row = slice(index, index + 1)
        alone = line_overlaps_by_homography(
            lines0[row],
            lines1[row],
            matches[row],
            SHIFT,
            image_size0=image_size,
            image_size1=image_size,
        )
        assert_close(together.overlapping[row], alone.overlapping)


def test_rejects_wrong_shapes(wall_pair: DepthPair) -> None:
    with pytest.raises(ShapeError, match="line_matches0 needs the shape"):
        line_overlaps_by_depth(LINES0, LINES0, torch.tensor([[0, 1]]), wall_pair)
