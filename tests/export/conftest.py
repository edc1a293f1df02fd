from collections.abc import Callable

import pytest
import torch

from gluestick.types import Matches, Wireframe


def make_wireframe(
    num_nodes: list[int], num_lines: list[int], *, num_junctions: int = 2, seed: int = 0
) -> Wireframe:
    """A batch of images with random nodes and lines, padded to the largest."""
    generator = torch.Generator().manual_seed(seed)
    batch_size, max_nodes, max_lines = len(num_nodes), max(num_nodes), max(num_lines)
    lines = 100 * torch.rand(batch_size, max_lines, 2, 2, generator=generator)
    line_junctions = torch.zeros(batch_size, max_lines, 2, dtype=torch.int64)
    line_junctions[..., 1] = 1
    descriptors = torch.randn(batch_size, max_nodes, 8, generator=generator)
    return Wireframe(
        image_size=torch.tensor([[200, 100]]).repeat(batch_size, 1),
        keypoints=100 * torch.rand(batch_size, max_nodes, 2, generator=generator),
        keypoint_scores=torch.rand(batch_size, max_nodes, generator=generator),
        descriptors=torch.nn.functional.normalize(descriptors, dim=-1),
        keypoint_mask=torch.arange(max_nodes)[None] < torch.tensor(num_nodes)[:, None],
        num_junctions=torch.tensor([min(num_junctions, count) for count in num_nodes]),
        lines=lines.round(),
        detected_lines=lines,
        line_scores=torch.rand(batch_size, max_lines, generator=generator),
        line_mask=torch.arange(max_lines)[None] < torch.tensor(num_lines)[:, None],
        line_junctions=line_junctions,
        edge_index=torch.zeros(2, 0, dtype=torch.int64),
    )


def make_matches(wireframe0: Wireframe, wireframe1: Wireframe, *, apart: bool = False) -> Matches:
    """Every second real entry of image 0 is matched to the entry of the same index."""

    def pairs(mask0: torch.Tensor, mask1: torch.Tensor) -> list[torch.Tensor]:
        both = mask0.new_zeros(len(mask0), max(mask0.shape[1], mask1.shape[1]))
        both[:, : mask0.shape[1]] = mask0
        both[:, mask1.shape[1] :] = False
        both[:, : mask1.shape[1]] &= mask1
        both[:, 1::2] = False
        index = torch.where(both, torch.arange(both.shape[1])[None], -1)
        return [index[:, : mask.shape[1]] for mask in (mask0, mask1)]

    points0, points1 = pairs(wireframe0.keypoint_mask, wireframe1.keypoint_mask)
    lines0, lines1 = pairs(wireframe0.line_mask, wireframe1.line_mask)
    batch_size = wireframe0.batch_size
    junctions = {}
    if apart:
        junctions = {
            f"junction_{kind}{side}": value
            for side, points in enumerate((points0, points1))
            for kind, value in (
                ("matches", torch.full_like(points, -1)),
                ("matching_scores", torch.zeros(points.shape)),
            )
        }
    return Matches(
        matches0=points0,
        matches1=points1,
        matching_scores0=0.9 * (points0 > -1).float(),
        matching_scores1=0.9 * (points1 > -1).float(),
        line_matches0=lines0,
        line_matches1=lines1,
        line_matching_scores0=0.8 * (lines0 > -1).float(),
        line_matching_scores1=0.8 * (lines1 > -1).float(),
        log_assignment=torch.zeros(batch_size, points0.shape[1] + 1, points1.shape[1] + 1),
        line_log_assignment=torch.zeros(batch_size, lines0.shape[1] + 1, lines1.shape[1] + 1),
        **junctions,
    )


@pytest.fixture
def wireframe_factory() -> Callable[..., Wireframe]:
    return make_wireframe


@pytest.fixture
def matches_factory() -> Callable[..., Matches]:
    return make_matches
