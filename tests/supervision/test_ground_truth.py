from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from gluestick.checks import ShapeError
from gluestick.supervision import (
    DepthPair,
    ground_truth_from_depth,
    ground_truth_from_homography,
)
from gluestick.types import GroundTruth, Wireframe

SHIFT = torch.tensor([[[1.0, 0.0, -15.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])


def wireframe(image_size: Tensor, offset: float, *, padding: int = 0) -> Wireframe:
    """A line with its two junctions, and two keypoints, one of them near a junction."""
    nodes = torch.tensor([[[40.0, 20.0], [100.0, 20.0], [40.5, 20.0], [70.0, 60.0]]])
    nodes = nodes - torch.tensor([offset, 0.0])
    line = nodes[:, :2].reshape(1, 1, 2, 2)
    nodes = torch.cat([nodes, torch.zeros(1, padding, 2)], dim=1)
    line = torch.cat([line, torch.zeros(1, padding, 2, 2)], dim=1)
    return Wireframe(
        image_size=image_size,
        keypoints=nodes,
        keypoint_scores=torch.ones(nodes.shape[:2]),
        descriptors=torch.ones(*nodes.shape[:2], 1),
        keypoint_mask=torch.arange(4 + padding)[None] < 4,
        num_junctions=torch.tensor([2]),
        lines=line + 50,
        detected_lines=line,
        line_scores=torch.ones(line.shape[:2]),
        line_mask=torch.arange(1 + padding)[None] < 1,
        line_junctions=torch.zeros(*line.shape[:2], 2, dtype=torch.int64),
        edge_index=torch.tensor([[0, 1], [1, 0]]),
    )


@pytest.fixture(params=["homography", "depth"])
def find_truth(request: pytest.FixtureRequest, wall_pair: DepthPair):
    def find(wireframe0: Wireframe, wireframe1: Wireframe, **options) -> GroundTruth:
        if request.param == "depth":
            return ground_truth_from_depth(wireframe0, wireframe1, wall_pair, **options)
        return ground_truth_from_homography(wireframe0, wireframe1, SHIFT, **options)

    return find


def test_keypoints_match_keypoints_only(find_truth, image_size: Tensor) -> None:
    truth = find_truth(wireframe(image_size, 0), wireframe(image_size, 15))
    assert truth.gt_matches0.tolist() == truth.gt_matches1.tolist() == [[-2, -2, 2, 3]]
    assert truth.gt_line_matches0.tolist() == truth.gt_line_matches1.tolist() == [[0]]


def test_all_nodes_alike(find_truth, image_size: Tensor) -> None:
    truth = find_truth(wireframe(image_size, 0), wireframe(image_size, 15), junctions=True)
    assert truth.gt_matches0.tolist() == [[0, 1, 2, 3]]


def test_padding_is_ignored(find_truth, image_size: Tensor) -> None:
    truth = find_truth(wireframe(image_size, 0, padding=2), wireframe(image_size, 15, padding=1))
    assert truth.gt_matches0.tolist() == [[-2, -2, 2, 3, -2, -2]]
    assert truth.gt_matches1.tolist() == [[-2, -2, 2, 3, -2]]
    assert truth.gt_line_matches0.tolist() == [[0, -2, -2]]
    assert truth.gt_line_matches1.tolist() == [[0, -2]]


def test_truth_checks_shapes_and_moves(find_truth, image_size: Tensor) -> None:
    truth = find_truth(wireframe(image_size, 0), wireframe(image_size, 15))
    assert_close(truth.to("cpu").gt_matches0, truth.gt_matches0)
    with pytest.raises(ShapeError, match="gt_line_matches1 needs the shape"):
        replace(truth, gt_line_matches1=torch.zeros(1))
