from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from gluestick.checks import ShapeError
from gluestick.supervision.point_truth import point_truth_from_depth, point_truth_from_homography
from gluestick.supervision.reprojection import DepthPair
from gluestick.supervision.rules import GroundTruthConfig

SHIFT = torch.tensor([[[1.0, 0.0, 10.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])


def points(*positions: tuple[float, float]) -> torch.Tensor:
    return torch.tensor([positions], dtype=torch.float32)


def test_labels_by_distance() -> None:
    keypoints0 = points((20, 20), (40, 20), (60, 20), (80, 20))
    keypoints1 = points((72, 20), (54, 20), (120, 20), (30, 20))
    truth = point_truth_from_homography(keypoints0, keypoints1, SHIFT)
    assert truth.matches0.tolist() == [[3, -2, 0, -1]]
    assert truth.matches1.tolist() == [[2, -2, -1, 0]]


def test_matches_are_mutual() -> None:
    keypoints0 = points((20, 20), (21, 20))
    truth = point_truth_from_homography(keypoints0, points((30.2, 20)), SHIFT)
    assert truth.matches0.tolist() == [[0, -2]]
    assert truth.matches1.tolist() == [[0]]


def test_both_distances_count() -> None:
    shrink = torch.diag_embed(torch.tensor([[0.1, 0.1, 1.0]]))
    truth = point_truth_from_homography(points((100, 100)), points((11, 10)), shrink)
    assert truth.matches0.tolist() == [[-2]]
    assert truth.matches1.tolist() == [[-1]]


def test_thresholds_are_options() -> None:
    keypoints0, keypoints1 = points((20, 20)), points((34, 20))
    config = GroundTruthConfig(positive_distance=4.5)
    truth = point_truth_from_homography(keypoints0, keypoints1, SHIFT, config=config)
    assert truth.matches0.tolist() == [[0]]
    config = GroundTruthConfig(negative_distance=3.5)
    truth = point_truth_from_homography(keypoints0, keypoints1, SHIFT, config=config)
    assert truth.matches0.tolist() == [[-1]]


def test_masked_points_are_ignored_and_take_no_partner() -> None:
    keypoints0 = points((20, 20), (21, 20))
    mask0 = torch.tensor([[False, True]])
    truth = point_truth_from_homography(keypoints0, points((30.2, 20)), SHIFT, mask0=mask0)
    assert truth.matches0.tolist() == [[-2, 0]]
    assert truth.matches1.tolist() == [[1]]
    mask1 = torch.tensor([[False]])
    truth = point_truth_from_homography(keypoints0, points((30.2, 20)), SHIFT, mask1=mask1)
    assert truth.matches0.tolist() == [[-1, -1]]
    assert truth.matches1.tolist() == [[-2]]


@pytest.mark.parametrize(("number0", "number1"), [(0, 0), (0, 3), (3, 0)])
def test_without_points_nothing_matches(number0: int, number1: int, wall_pair: DepthPair) -> None:
    keypoints0, keypoints1 = torch.rand(1, number0, 2) * 20 + 50, torch.rand(1, number1, 2)
    for truth in (
        point_truth_from_homography(keypoints0, keypoints1, SHIFT),
        point_truth_from_depth(keypoints0, keypoints1 + 50, wall_pair),
        point_truth_from_depth(
            keypoints0, keypoints1 + 50, wall_pair, config=GroundTruthConfig(epipolar_distance=5.0)
        ),
    ):
        assert truth.matches0.tolist() == [[-1] * number0]
        assert truth.matches1.tolist() == [[-1] * number1]


def test_a_batch_gives_what_the_pairs_give() -> None:
    generator = torch.Generator().manual_seed(0)
    keypoints0 = torch.rand(3, 30, 2, generator=generator) * 60
    keypoints1 = torch.rand(3, 40, 2, generator=generator) * 60
    H = SHIFT.expand(3, 3, 3)
    mask0, mask1 = (torch.rand(3, n, generator=generator) < 0.8 for n in (30, 40))
    together = point_truth_from_homography(keypoints0, keypoints1, H, mask0=mask0, mask1=mask1)
    assert (together.matches0 >= 0).sum() > 10
    for index in range(3):
        row0, row1 = mask0[index], mask1[index]
        alone = point_truth_from_homography(
            keypoints0[index, row0][None], keypoints1[index, row1][None], SHIFT
        )
        places = torch.cat([torch.nonzero(row1)[:, 0], torch.tensor([-2, -1])])
        assert_close(together.matches0[index, row0], places[alone.matches0[0]])
        assert (together.matches0[index, ~row0] == -2).all()


def test_depth(wall_pair: DepthPair) -> None:
    depth = wall_pair.depth0.clone()
    depth[:, 80:, :] = 0
    pair = replace(wall_pair, depth0=depth)
    keypoints0 = points((50, 40), (90, 40), (5, 40), (50, 100))
    keypoints1 = points((76, 41), (35, 40), (35, 100))
    truth = point_truth_from_depth(keypoints0, keypoints1, pair)
    assert truth.matches0.tolist() == [[1, 0, -1, -2]]
    assert truth.matches1.tolist() == [[1, 0, -2]]


def test_points_of_unknown_depth_far_from_all_epipolar_lines_are_unmatched(
    wall_pair: DepthPair,
) -> None:
    depth = torch.zeros_like(wall_pair.depth0)
    pair = replace(wall_pair, depth0=depth, depth1=depth)
    keypoints0, keypoints1 = points((50, 40), (50, 80)), points((70, 41), (70, 100))
    config = GroundTruthConfig(epipolar_distance=5.0)
    truth = point_truth_from_depth(keypoints0, keypoints1, pair, config=config)
    assert truth.matches0.tolist() == [[-2, -1]]
    assert truth.matches1.tolist() == [[-2, -1]]
    truth = point_truth_from_depth(keypoints0, keypoints1, pair)
    assert truth.matches0.tolist() == [[-2, -2]]


def test_rejects_wrong_shapes(wall_pair: DepthPair) -> None:
    with pytest.raises(ShapeError, match="H_0to1 needs the shape"):
        point_truth_from_homography(points((1, 1)), points((1, 1)), SHIFT[0])
    with pytest.raises(ShapeError, match="keypoints1 needs the shape"):
        point_truth_from_depth(points((1, 1)), points((1, 1))[0], wall_pair)
