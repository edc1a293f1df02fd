from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from gluestick.checks import ShapeError
from gluestick.supervision.reprojection import (
    DepthPair,
    clip_to_pixels,
    reproject_by_depth,
    reproject_by_homography,
    sample_depth,
)
from gluestick.supervision.rules import GroundTruthConfig

EXACT = GroundTruthConfig()


def test_homography_carries_points(image_size: Tensor) -> None:
    H = torch.tensor([[[2.0, 0.0, 1.0], [0.0, 2.0, -3.0], [0.0, 0.0, 1.0]]])
    points = torch.tensor([[[10.0, 20.0], [79.0, 30.0], [79.3, 30.0]]])
    carried = reproject_by_homography(points, H, image_size=image_size, config=EXACT)
    assert_close(carried.positions[0, :2], torch.tensor([[21.0, 37.0], [159.0, 57.0]]))
    assert carried.absent.tolist() == [[False, False, True]]
    assert carried.known.all()
    assert carried.visible.all()


def test_homography_in_double_precision_keeps_the_type_of_points() -> None:
    H = torch.eye(3, dtype=torch.float64)[None]
    carried = reproject_by_homography(torch.rand(1, 4, 2), H, config=EXACT)
    assert carried.positions.dtype == torch.float32
    assert not carried.absent.any()


def test_published_arithmetic_shifts_far_points_a_little() -> None:
    points, H = torch.tensor([[[500.0, 500.0]]]), torch.eye(3)[None]
    config = GroundTruthConfig(glue_factory_numerics=True)
    shift = points - reproject_by_homography(points, H, config=config).positions
    assert_close(shift, torch.full((1, 1, 2), 5e-3), atol=1e-4, rtol=0)


def test_depth_carries_points(wall_pair: DepthPair) -> None:
    points = torch.tensor([[[50.0, 40.0], [5.0, 40.0], [15.0, 119.0]]])
    carried = reproject_by_depth(points, wall_pair, config=EXACT)
    assert_close(carried.positions, points - torch.tensor([15.0, 0.0]))
    assert carried.visible.tolist() == [[True, False, True]]
    assert carried.absent.tolist() == [[False, True, False]]


def test_there_and_back(wall_pair: DepthPair) -> None:
    pair = replace(
        wall_pair,
        R_0to1=torch.linalg.matrix_exp(
            torch.tensor([[[0.0, -0.1, 0.05], [0.1, 0.0, -0.02], [-0.05, 0.02, 0.0]]])
        ),
    )
    points = 40 + 40 * torch.rand(1, 20, 2, generator=torch.Generator().manual_seed(0))
    there = reproject_by_depth(points, pair, config=EXACT)
    depth_there = torch.linalg.inv(pair.K0) @ torch.cat([points, torch.ones(1, 20, 1)], -1).mT * 4
    depth_there = (pair.R_0to1 @ depth_there + pair.t_0to1[..., None])[:, 2]
    for index in range(20):
        back = replace(
            pair.reversed(), depth0=depth_there[:, index, None, None].expand(1, 120, 160)
        )
        returned = reproject_by_depth(there.positions[:, index : index + 1], back, config=EXACT)
        assert_close(returned.positions, points[:, index : index + 1], atol=1e-3, rtol=0)


def test_unknown_depth_is_neither_visible_nor_absent(wall_pair: DepthPair) -> None:
    depth = wall_pair.depth0.clone()
    depth[:, 30:50, 30:60] = 0
    points = torch.tensor([[[40.0, 40.0], [100.0, 40.0]]])
    carried = reproject_by_depth(points, replace(wall_pair, depth0=depth), config=EXACT)
    assert carried.known.tolist() == carried.visible.tolist() == [[False, True]]
    assert not carried.absent.any()
    assert carried.positions[0, 0].isnan().all()


def test_points_behind_the_other_camera_are_absent(wall_pair: DepthPair) -> None:
    pair = replace(wall_pair, t_0to1=torch.tensor([[0.0, 0.0, -5.0]]))
    carried = reproject_by_depth(torch.tensor([[[79.5, 59.5]]]), pair, config=EXACT)
    assert carried.absent.all()
    assert not carried.visible.any()


def test_nearer_surfaces_occlude(wall_pair: DepthPair) -> None:
    depth = wall_pair.depth1.clone()
    depth[:, :, 20:40] = 3.0
    depth[:, :, 60:80] = 3.9
    depth[:, :, 100:120] = 0.0
    pair = replace(wall_pair, depth1=depth)
    points = torch.tensor([[[45.0, 60.0], [85.0, 60.0], [125.0, 60.0]]])
    config = GroundTruthConfig(depth_error=0.08)
    carried = reproject_by_depth(points, pair, config=config)
    assert carried.visible.tolist() == [[False, True, True]]
    assert carried.absent.tolist() == [[True, False, False]]
    assert reproject_by_depth(points, pair, config=EXACT).visible.all()


def test_cycle_needs_consistent_depth(wall_pair: DepthPair) -> None:
    depth = wall_pair.depth1.clone()
    depth[:, :, 20:40] = 3.0
    depth[:, :, 100:120] = 0.0
    pair = replace(wall_pair, depth1=depth)
    points = torch.tensor([[[45.0, 60.0], [85.0, 60.0], [125.0, 60.0]]])
    config = GroundTruthConfig(cycle_error=2.0)
    carried = reproject_by_depth(points, pair, cycle=True, config=config)
    assert carried.visible.tolist() == [[False, True, False]]
    assert not carried.absent.any()
    assert reproject_by_depth(points, pair, config=config).visible.all()


def test_depth_is_interpolated_between_pixel_centres() -> None:
    depth = torch.arange(1.0, 13.0).reshape(1, 3, 4)
    points = torch.tensor([[[0.0, 0.0], [1.5, 1.0], [3.0, 1.5], [-0.5, 0.0], [-0.6, 0.0]]])
    values = sample_depth(depth, points)
    expected = torch.tensor([[1.0, 6.5, 10.0, 1.0, torch.nan]])
    assert_close(values, expected, equal_nan=True)
    assert_close(sample_depth(depth, points, fade_out=True)[0, 3], torch.tensor(0.5))


def test_nearest_depth_beside_a_hole() -> None:
    depth = torch.tensor([[[2.0, 0.0], [2.0, 4.0]]])
    points = torch.tensor([[[0.2, 0.4], [0.8, 0.1], [0.9, 0.9]]])
    expected = torch.tensor([[2.0, torch.nan, 4.0]])
    assert_close(sample_depth(depth, points), expected, equal_nan=True)


def test_clips_to_the_image(image_size: Tensor) -> None:
    lines = torch.tensor([[[[-3.0, 10.0], [200.0, 119.0]]]])
    clipped = clip_to_pixels(lines, image_size, config=EXACT)
    assert_close(clipped, torch.tensor([[[[-0.5, 10.0], [159.5, 119.0]]]]))


def test_batches_and_no_points(wall_pair: DepthPair) -> None:
    fields = {name: getattr(wall_pair, name) for name in wall_pair.__dataclass_fields__}
    twice = DepthPair(**{name: torch.cat([value, value]) for name, value in fields.items()})
    points = torch.rand(2, 7, 2) * 100
    carried = reproject_by_depth(points, twice, config=EXACT)
    alone = reproject_by_depth(points[1:], wall_pair, config=EXACT)
    assert_close(carried.positions[1:], alone.positions)
    empty = reproject_by_depth(points[:, :0], twice, config=GroundTruthConfig(depth_error=0.08))
    assert empty.positions.shape == (2, 0, 2)
    assert empty.visible.shape == (2, 0)


def test_pair_checks_shapes(wall_pair: DepthPair) -> None:
    with pytest.raises(ShapeError, match=r"DepthPair.K1 needs the shape \[B 3 3\]"):
        replace(wall_pair, K1=torch.eye(3))
