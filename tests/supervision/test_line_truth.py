from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from gluestick.checks import ShapeError
from gluestick.supervision.line_truth import line_truth_from_depth, line_truth_from_homography
from gluestick.supervision.reprojection import DepthPair
from gluestick.supervision.rules import GroundTruthConfig, TrueMatches

SHIFT = torch.tensor([[[1.0, 0.0, -15.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])


def lines(*segments: tuple[float, float, float, float]) -> Tensor:
    return torch.tensor([segments], dtype=torch.float32).reshape(1, -1, 2, 2)


LINES0 = lines((40, 20, 100, 20), (60, 40, 60, 90), (30, 100, 120, 110), (1, 40, 12, 90))
LINES1 = lines((44, 91, 46, 42), (140, 20, 140, 80), (25, 21, 85, 19))


@pytest.fixture
def from_homography(image_size: Tensor):
    def match(lines0: Tensor, lines1: Tensor, H: Tensor = SHIFT, **options) -> TrueMatches:
        size = image_size.expand(len(H), 2)
        return line_truth_from_homography(
            lines0, lines1, H, image_size0=size, image_size1=size, **options
        )

    return match


def test_homography(from_homography) -> None:
    truth = from_homography(LINES0, LINES1)
    assert truth.matches0.tolist() == [[2, 0, -1, -1]]
    assert truth.matches1.tolist() == [[1, -1, 0]]


def test_endpoints_may_be_swapped(from_homography) -> None:
    assert_close(from_homography(LINES0.flip(2), LINES1), from_homography(LINES0, LINES1))


def test_depth_gives_what_the_homography_of_a_wall_gives(
    wall_pair: DepthPair, from_homography
) -> None:
    assert_close(line_truth_from_depth(LINES0, LINES1, wall_pair), from_homography(LINES0, LINES1))


def test_the_longest_fragment_is_the_partner(from_homography) -> None:
    fragments = lines((25, 20, 40, 20), (45, 20, 84, 20))
    truth = from_homography(LINES0[:, :1], fragments)
    assert truth.matches0.tolist() == [[1]]
    assert truth.matches1.tolist() == [[-1, 0]]


def test_the_most_samples_beside_each_other_win_together(from_homography) -> None:
    # Alone, line 0 would take line 0 of the other image, and leave nothing to line 1.
    lines0 = lines((40, 20, 100, 20), (40, 22, 70, 22))
    lines1 = lines((25, 21, 68, 21), (40, 18, 85, 18))
    truth = from_homography(lines0, lines1)
    assert truth.matches0.tolist() == [[1, 0]]


@pytest.mark.parametrize(
    ("segment", "matched"),
    [((25, 24.9, 85, 24.9), True), ((25, 25.1, 85, 25.1), False), ((25, 15.1, 85, 15.1), True)],
)
def test_distance(segment: tuple[float, ...], matched: bool, from_homography) -> None:
    truth = from_homography(LINES0[:, :1], lines(segment))
    assert (truth.matches0 >= 0).item() == matched


@pytest.mark.parametrize(("end", "matched"), [(39, True), (36, False)])
def test_overlap(end: float, matched: bool, from_homography) -> None:
    truth = from_homography(LINES0[:, :1], lines((0, 20, end, 20)))
    assert (truth.matches0 >= 0).item() == matched


def test_lines_that_leave_the_image_are_unmatched(from_homography) -> None:
    leaving, partner = lines((0, 50, 40, 50)), lines((0, 50, 25, 50))
    assert from_homography(leaving, partner).matches0.tolist() == [[0]]
    config = GroundTruthConfig(min_visibility=0.7)
    assert from_homography(leaving, partner, config=config).matches0.tolist() == [[-1]]


def test_masked_lines_are_ignored_and_take_no_partner(from_homography) -> None:
    mask0 = torch.tensor([[False, True, True, True]])
    truth = from_homography(LINES0, LINES1, mask0=mask0)
    assert truth.matches0.tolist() == [[-2, 0, -1, -1]]
    assert truth.matches1.tolist() == [[1, -1, -1]]
    mask1 = torch.tensor([[True, True, False]])
    truth = from_homography(LINES0, LINES1, mask1=mask1)
    assert truth.matches0.tolist() == [[-1, 0, -1, -1]]
    assert truth.matches1.tolist() == [[1, -1, -2]]


def test_lines_of_unknown_depth_are_ignored(wall_pair: DepthPair) -> None:
    depth = wall_pair.depth0.clone()
    depth[:, 10:30, 60:] = 0
    truth = line_truth_from_depth(LINES0, LINES1, replace(wall_pair, depth0=depth))
    assert truth.matches0.tolist() == [[-2, 0, -1, -1]]
    assert truth.matches1.tolist() == [[1, -1, -1]]
    depth[:, 10:30, 60:80] = 4.0
    truth = line_truth_from_depth(LINES0, LINES1, replace(wall_pair, depth0=depth))
    assert truth.matches0.tolist() == [[2, 0, -1, -1]]


def test_occluded_lines_are_unmatched(wall_pair: DepthPair) -> None:
    depth = wall_pair.depth1.clone()
    depth[:, :30, 20:90] = 2.0
    pair = replace(wall_pair, depth1=depth)
    config = GroundTruthConfig(depth_error=0.08)
    truth = line_truth_from_depth(LINES0, LINES1, pair, config=config)
    assert truth.matches0.tolist() == [[-1, 0, -1, -1]]


def test_segments_without_length_match_nothing(from_homography) -> None:
    point = lines((40, 20, 40, 20))
    truth = from_homography(point, lines((25, 20, 25, 20), (25, 20, 85, 20)))
    assert truth.matches0.tolist() == [[-1]]
    assert truth.matches1.tolist() == [[-1, -1]]


@pytest.mark.parametrize(("number0", "number1"), [(0, 0), (0, 3), (3, 0)])
def test_without_lines_nothing_matches(
    number0: int, number1: int, wall_pair: DepthPair, from_homography
) -> None:
    lines0, lines1 = LINES0[:, :number0], LINES1[:, :number1]
    for truth in (
        from_homography(lines0, lines1),
        line_truth_from_depth(lines0, lines1, wall_pair),
    ):
        assert truth.matches0.tolist() == [[-1] * number0]
        assert truth.matches1.tolist() == [[-1] * number1]


def test_a_batch_gives_what_the_pairs_give(from_homography) -> None:
    padded = torch.cat([LINES0[:, :2], torch.zeros(1, 2, 2, 2)], dim=1)
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    together = from_homography(
        torch.cat([LINES0, padded]), LINES1.expand(2, -1, 2, 2), SHIFT.expand(2, 3, 3), mask0=mask
    )
    alone = from_homography(LINES0[:, :2], LINES1)
    assert_close(together.matches0[:1], from_homography(LINES0, LINES1).matches0)
    assert together.matches0[1].tolist() == [*alone.matches0[0].tolist(), -2, -2]
    assert_close(together.matches1[1:], alone.matches1)


def test_rejects_wrong_shapes(wall_pair: DepthPair, from_homography) -> None:
    with pytest.raises(ShapeError, match="lines1 needs the shape"):
        from_homography(LINES0, LINES1[0])
    with pytest.raises(ShapeError, match="lines0 needs the shape"):
        line_truth_from_depth(LINES0.flatten(2), LINES1, wall_pair)
