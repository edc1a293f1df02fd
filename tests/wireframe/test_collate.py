import dataclasses

import pytest
import torch

from gluestick.images.rotation import turned_frame
from gluestick.types import Wireframe
from gluestick.wireframe import split_wireframe, stack_wireframes


def make_wireframe(seed: int, *, num_nodes: int, num_lines: int, dim: int = 4) -> Wireframe:
    generator = torch.Generator().manual_seed(seed)

    def rand(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator)

    num_junctions = min(num_nodes, 2 * num_lines)
    junctions = torch.arange(2 * num_lines).reshape(1, num_lines, 2) % max(num_junctions, 1)
    pairs = junctions[0]
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    edges = torch.unique(torch.cat([pairs, pairs.flip(1)]), dim=0).T
    return Wireframe(
        image_size=torch.tensor([[64 + seed, 48]]),
        keypoints=rand(1, num_nodes, 2),
        keypoint_scores=rand(1, num_nodes),
        descriptors=rand(1, num_nodes, dim),
        keypoint_mask=torch.ones(1, num_nodes, dtype=torch.bool),
        num_junctions=torch.tensor([num_junctions]),
        lines=rand(1, num_lines, 2, 2),
        detected_lines=rand(1, num_lines, 2, 2),
        line_scores=rand(1, num_lines),
        line_mask=torch.ones(1, num_lines, dtype=torch.bool),
        line_junctions=junctions,
        edge_index=edges.reshape(2, -1),
        side_colors=rand(1, num_lines, 2, 9),
        views=(turned_frame((64 + seed, 48), angle=90.0 * seed),),
    )


def assert_equal(wireframe: Wireframe, other: Wireframe) -> None:
    for field in dataclasses.fields(Wireframe):
        value, expected = getattr(wireframe, field.name), getattr(other, field.name)
        if field.name in ("views", "scales"):
            assert value == expected
            continue
        assert torch.equal(value, expected), field.name
        assert value.dtype == expected.dtype, field.name


def singles() -> list[Wireframe]:
    counts = [(7, 3), (0, 0), (12, 5), (4, 0), (3, 1)]
    return [make_wireframe(i, num_nodes=p, num_lines=n) for i, (p, n) in enumerate(counts)]


def test_round_trip() -> None:
    batch = stack_wireframes(singles())
    assert batch.keypoints.shape == (5, 12, 2)
    assert batch.line_junctions.shape == (5, 5, 2)
    assert batch.keypoint_mask.sum(dim=1).tolist() == [7, 0, 12, 4, 3]
    assert batch.line_mask.sum(dim=1).tolist() == [3, 0, 5, 0, 1]
    back = split_wireframe(batch)
    assert len(back) == 5
    for wireframe, single in zip(back, singles(), strict=True):
        assert_equal(wireframe, single)
    assert_equal(stack_wireframes(back), batch)
    assert [view and view.size for view in batch.views] == [
        None,
        (48, 65),
        (66, 48),
        (48, 67),
        None,
    ]


def test_padding_is_zero_and_edges_are_shifted() -> None:
    first, _, third, _, _ = singles()
    batch = stack_wireframes([first, third])
    assert not batch.keypoints[0, 7:].any()
    assert not batch.line_junctions[0, 3:].any()
    expected = torch.cat([first.edge_index, third.edge_index + 12], dim=1)
    assert torch.equal(batch.edge_index, expected)


def test_batches_can_be_stacked_again() -> None:
    every = singles()
    nested = stack_wireframes([stack_wireframes(every[:2]), *every[2:4], every[4]])
    assert_equal(nested, stack_wireframes(every))


def test_one_wireframe_stays_as_it_is() -> None:
    single = singles()[0]
    assert_equal(stack_wireframes([single]), single)


def test_images_without_nodes() -> None:
    empty = make_wireframe(0, num_nodes=0, num_lines=0)
    batch = stack_wireframes([empty, empty])
    assert batch.keypoints.shape == (2, 0, 2)
    assert_equal(split_wireframe(batch)[1], empty)


def test_errors() -> None:
    with pytest.raises(ValueError, match="at least one wireframe"):
        stack_wireframes([])
    different = make_wireframe(0, num_nodes=3, num_lines=1, dim=8)
    with pytest.raises(ValueError, match=r"descriptors of one size, found \[4, 8\]"):
        stack_wireframes([singles()[0], different])
