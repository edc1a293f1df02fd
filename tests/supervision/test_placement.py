"""Ground truth on a device: where the wireframes are, whatever holds the geometry."""

import pytest
import torch
from accelerators import Accelerator
from matching.wireframes import matching_pair
from torch import Tensor

from gluestick.supervision import (
    DepthPair,
    GroundTruthConfig,
    ground_truth_from_depth,
    ground_truth_from_homography,
)
from gluestick.supervision.geometry_metrics import (
    symmetric_homography_error,
    symmetric_reprojection_error,
)
from gluestick.supervision.line_overlap import (
    line_overlaps_by_depth,
    line_overlaps_by_homography,
)
from gluestick.types import GroundTruth, Wireframe
from gluestick.wireframe import stack_wireframes

DEPTH_CONFIG = GroundTruthConfig(epipolar_distance=5.0, cycle_error=5.0, depth_error=0.1)
H = torch.tensor([[[0.98, 0.0, 3.0], [0.0, 0.98, 3.0], [0.0, 0.0, 1.0]]], dtype=torch.float64)


@pytest.fixture
def batch() -> list[Wireframe]:
    """Wireframes whose images are those of a wall, a small step sideways apart."""
    pairs = [matching_pair(24, 10, 9, seed=1), matching_pair(30, 4, 3, seed=2)]
    return [stack_wireframes(side) for side in zip(*pairs, strict=True)]


@pytest.fixture
def wall() -> DepthPair:
    """A wall from which the camera goes back, and to the side, by a little."""
    K = torch.tensor([[500.0, 0.0, 0.0], [0.0, 500.0, 0.0], [0.0, 0.0, 1.0]]).expand(2, 3, 3)
    return DepthPair(
        depth0=torch.full((2, 480, 640), 4.9),
        depth1=torch.full((2, 480, 640), 5.0),
        image_size0=torch.tensor([[640, 480]] * 2),
        image_size1=torch.tensor([[640, 480]] * 2),
        K0=K,
        K1=K,
        R_0to1=torch.eye(3).expand(2, 3, 3),
        t_0to1=torch.tensor([[0.03, 0.03, 0.1]] * 2),
    )


def assert_same_truth(found: GroundTruth, expected: GroundTruth, accelerator: Accelerator) -> None:
    for name, value in vars(expected).items():
        assert vars(found)[name].device.type == accelerator.device.type
        assert torch.equal(vars(found)[name].cpu(), value), name
    for matches in (expected.gt_matches0, expected.gt_line_matches0):
        assert (matches > -1).any()


@pytest.mark.parametrize("where", ["host", "device"])
def test_homography(accelerator: Accelerator, batch: list[Wireframe], where: str) -> None:
    truth = H.expand(2, 3, 3)
    expected = ground_truth_from_homography(*batch, truth)
    moved = [side.to(accelerator.device) for side in batch]
    if where == "device":
        truth = truth.to(accelerator.device)
    found = ground_truth_from_homography(*moved, truth)
    assert_same_truth(found, expected, accelerator)


@pytest.mark.parametrize("where", ["host", "device"])
def test_depth(
    accelerator: Accelerator, batch: list[Wireframe], wall: DepthPair, where: str
) -> None:
    expected = ground_truth_from_depth(*batch, wall, config=DEPTH_CONFIG)
    moved = [side.to(accelerator.device) for side in batch]
    if where == "device":
        wall = wall.to(accelerator.device)
    found = ground_truth_from_depth(*moved, wall, config=DEPTH_CONFIG)
    assert_same_truth(found, expected, accelerator)


def test_metrics(accelerator: Accelerator, batch: list[Wireframe], wall: DepthPair) -> None:
    def measure(wireframe0: Wireframe, wireframe1: Wireframe, matches: Tensor) -> list[Tensor]:
        lines = (wireframe0.detected_lines, wireframe1.detected_lines, matches)
        sizes = {"image_size0": wireframe0.image_size, "image_size1": wireframe1.image_size}
        points = wireframe0.keypoints, 0.98 * wireframe0.keypoints + 3
        truth = H.expand(2, 3, 3).to(points[0])
        return [
            *line_overlaps_by_homography(*lines, truth, **sizes),
            *line_overlaps_by_depth(*lines, wall),
            symmetric_homography_error(*points, truth),
            symmetric_reprojection_error(*points, wall),
        ]

    matches = ground_truth_from_homography(*batch, H.expand(2, 3, 3)).gt_line_matches0
    expected = measure(*batch, matches)
    moved = [side.to(accelerator.device) for side in batch]
    found = measure(*moved, matches.to(accelerator.device))
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.device.type == accelerator.device.type
        torch.testing.assert_close(ours.cpu(), theirs, atol=1e-3, rtol=1e-3, equal_nan=True)
