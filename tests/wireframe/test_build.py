import dataclasses

import pytest
import torch
from torch import Tensor

from gluestick.features.collate import stack_features
from gluestick.images.rotation import turned_frame
from gluestick.types import Features, Wireframe
from gluestick.wireframe import WireframeConfig, build_wireframe, split_wireframe

DIM = 4


def describe(positions: Tensor) -> Tensor:
    angles = positions @ torch.tensor([[0.1], [0.07]])
    waves = [torch.sin(angles), torch.cos(angles), torch.sin(2 * angles), torch.cos(2 * angles)]
    return torch.cat(waves, dim=1) / 2**0.5


def make_features(
    keypoints: list[list[float]], lines: list[list[list[float]]], scores: list[float]
) -> Features:
    points = torch.tensor(keypoints).reshape(-1, 2)
    return Features(
        image_size=torch.tensor([[100, 80]]),
        keypoints=points[None],
        keypoint_scores=torch.linspace(1, 0.5, len(points))[None],
        descriptors=describe(points)[None],
        keypoint_mask=torch.ones(1, len(points), dtype=torch.bool),
        lines=torch.tensor(lines).reshape(1, -1, 2, 2),
        line_scores=torch.tensor(scores)[None],
        line_mask=torch.ones(1, len(scores), dtype=torch.bool),
        describe=(describe,),
    )


def corner() -> Features:
    """Three lines, of which the first two meet, and keypoints of which two lie near endpoints."""
    return make_features(
        keypoints=[[50.0, 50], [13, 10], [41, 12], [20, 30]],
        lines=[[[10.0, 10], [40, 10]], [[40, 12], [40, 60]], [[70, 5], [90, 70]]],
        scores=[4.0, 8.0, 2.0],
    )


def test_radii_count_in_the_frame_in_which_features_were_found() -> None:
    config = WireframeConfig(junction_radius=3.0, keypoint_radius=4.0)
    features = corner()
    small = build_wireframe(features, config)
    enlarged = dataclasses.replace(
        features, keypoints=features.keypoints * 8, lines=features.lines * 8, scales=(0.125,)
    )
    large = build_wireframe(enlarged, config)
    assert small.num_junctions.tolist() == large.num_junctions.tolist() == [5]
    assert torch.equal(large.keypoints, small.keypoints * 8)
    assert torch.equal(large.edge_index, small.edge_index)
    assert large.scales == (0.125,)
    without = dataclasses.replace(enlarged, scales=())
    assert build_wireframe(without, config).num_junctions.tolist() == [6]


def test_each_image_of_a_batch_has_its_own_scale() -> None:
    features = [dataclasses.replace(corner(), scales=(scale,)) for scale in (1.0, 4.0)]
    batch = build_wireframe(stack_features(features))
    assert batch.scales == (1.0, 4.0)
    assert batch.num_junctions.tolist() == [5, 6]
    assert [single.scales for single in split_wireframe(batch)] == [(1.0,), (4.0,)]


def random_features(seed: int, num_keypoints: int, num_lines: int) -> Features:
    generator = torch.Generator().manual_seed(seed)
    return make_features(
        keypoints=(torch.rand(num_keypoints, 2, generator=generator) * 79).tolist(),
        lines=(torch.rand(num_lines, 2, 2, generator=generator) * 79).tolist(),
        scores=torch.rand(num_lines, generator=generator).tolist(),
    )


def edge_list(wireframe: Wireframe) -> list[list[int]]:
    return wireframe.edge_index.T.tolist()


def assert_equal(wireframe: Wireframe, other: Wireframe) -> None:
    for field in dataclasses.fields(Wireframe):
        value, expected = getattr(wireframe, field.name), getattr(other, field.name)
        if field.name in ("views", "scales") or expected is None:
            assert value == expected, field.name
            continue
        assert torch.equal(value, expected), field.name
        assert value.dtype == expected.dtype, field.name


def test_junctions_come_first_and_are_means() -> None:
    wireframe = build_wireframe(corner())
    assert wireframe.num_junctions.tolist() == [5]
    junctions = [[10, 10], [40, 11], [40, 60], [70, 5], [90, 70]]
    keypoints = [[50, 50], [13, 10], [41, 12], [20, 30]]
    assert wireframe.keypoints[0].tolist() == junctions + keypoints
    assert wireframe.line_junctions[0].tolist() == [[0, 1], [1, 2], [3, 4]]
    assert wireframe.lines[0, 1].tolist() == [[40, 11], [40, 60]]
    assert torch.equal(wireframe.detected_lines, corner().lines)
    assert wireframe.junction_mask[0].tolist() == [True] * 5 + [False] * 4
    assert edge_list(wireframe) == [[0, 1], [1, 0], [1, 2], [2, 1], [3, 4], [4, 3]]


def test_the_views_of_the_features_are_kept() -> None:
    turned = dataclasses.replace(corner(), views=(turned_frame((100, 80), angle=30.0),))
    wireframe = build_wireframe(stack_features([corner(), turned]))
    assert wireframe.views == (None, turned.views[0])


def test_scores_are_relative_to_the_best_line() -> None:
    wireframe = build_wireframe(corner())
    torch.testing.assert_close(wireframe.line_scores[0], torch.tensor([0.5, 1.0, 0.25]))
    torch.testing.assert_close(
        wireframe.keypoint_scores[0, :5], torch.tensor([0.5, 0.75, 1.0, 0.25, 0.25])
    )
    assert torch.equal(wireframe.keypoint_scores[0, 5:], corner().keypoint_scores[0])


def test_descriptors_belong_to_the_junctions() -> None:
    wireframe = build_wireframe(corner())
    torch.testing.assert_close(wireframe.descriptors[0], describe(wireframe.keypoints[0]))


def test_keypoints_nearer_than_the_radius_to_a_detected_endpoint_are_removed() -> None:
    # (13, 10) lies exactly 3 px from (10, 10); (41, 12) lies 1 px from the endpoint (40, 12)
    for radius, kept in ((None, 4), (3.0, 3), (3.001, 2), (0.0, 4), (1.2, 3)):
        config = WireframeConfig(keypoint_radius=radius)
        assert build_wireframe(corner(), config).keypoints.shape[1] - 5 == kept


def test_without_merging_every_endpoint_is_a_node() -> None:
    wireframe = build_wireframe(corner(), WireframeConfig(merge=False))
    assert wireframe.num_junctions.tolist() == [6]
    assert torch.equal(wireframe.keypoints[0, :6], corner().lines.reshape(-1, 2))
    assert wireframe.line_junctions[0].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert torch.equal(wireframe.lines, corner().lines)
    assert len(edge_list(wireframe)) == 6


@pytest.mark.parametrize("merge", [True, False])
def test_no_lines(merge: bool) -> None:
    features = make_features([[1.0, 2], [3, 4]], [], [])
    config = WireframeConfig(merge=merge, keypoint_radius=3.0)
    wireframe = build_wireframe(features, config)
    assert torch.equal(wireframe.keypoints, features.keypoints)
    assert wireframe.num_junctions.tolist() == [0]
    assert wireframe.lines.shape == (1, 0, 2, 2)
    assert wireframe.line_junctions.shape == (1, 0, 2)
    assert wireframe.line_junctions.dtype == torch.int64
    assert wireframe.edge_index.shape == (2, 0)
    assert wireframe.edge_index.dtype == torch.int64


def test_no_keypoints() -> None:
    wireframe = build_wireframe(make_features([], [[[1.0, 2], [30, 40]]], [7.0]))
    assert wireframe.keypoints.tolist() == [[[1, 2], [30, 40]]]
    assert wireframe.num_junctions.tolist() == [2]
    assert edge_list(wireframe) == [[0, 1], [1, 0]]


def test_nothing_at_all() -> None:
    wireframe = build_wireframe(make_features([], [], []))
    assert wireframe.keypoints.shape == (1, 0, 2)
    assert wireframe.descriptors.shape == (1, 0, DIM)
    assert wireframe.lines.shape == (1, 0, 2, 2)
    assert wireframe.edge_index.shape == (2, 0)


def test_a_line_with_merged_endpoints_is_kept_without_an_edge() -> None:
    wireframe = build_wireframe(make_features([], [[[1.0, 2], [3, 2]]], [7.0]))
    assert wireframe.keypoints.tolist() == [[[2, 2]]]
    assert wireframe.line_junctions.tolist() == [[[0, 0]]]
    assert wireframe.lines.tolist() == [[[[2, 2], [2, 2]]]]
    assert wireframe.edge_index.shape == (2, 0)


def test_a_repeated_line_gives_one_edge_each_way() -> None:
    line = [[1.0, 2], [30, 40]]
    wireframe = build_wireframe(make_features([], [line, line[::-1], line], [1.0, 1, 1]))
    assert wireframe.line_junctions.tolist() == [[[0, 1], [1, 0], [0, 1]]]
    assert edge_list(wireframe) == [[0, 1], [1, 0]]


def test_scores_of_zero_stay_zero() -> None:
    wireframe = build_wireframe(make_features([], [[[1.0, 2], [30, 40]]], [0.0]))
    assert wireframe.line_scores.tolist() == [[0]]
    assert wireframe.keypoint_scores.tolist() == [[0, 0]]


@pytest.mark.parametrize("keypoint_radius", [None, 4.0])
@pytest.mark.parametrize("merge", [True, False])
def test_a_batch_gives_what_single_images_give(merge: bool, keypoint_radius: float | None) -> None:
    config = WireframeConfig(merge=merge, keypoint_radius=keypoint_radius)
    counts = [(30, 20), (0, 5), (12, 0), (0, 0), (40, 60)]
    singles = [random_features(seed, *count) for seed, count in enumerate(counts)]
    batch = build_wireframe(stack_features(singles), config)
    assert batch.batch_size == len(singles)
    for wireframe, single in zip(split_wireframe(batch), singles, strict=True):
        assert_equal(wireframe, build_wireframe(single, config))


def test_edges_of_a_batch_stay_within_their_image() -> None:
    batch = build_wireframe(stack_features([random_features(seed, 5, 9) for seed in range(3)]))
    source, target = batch.edge_index
    num_nodes = batch.keypoints.shape[1]
    assert torch.equal(source // num_nodes, target // num_nodes)
    assert torch.unique(batch.edge_index, dim=1).shape == batch.edge_index.shape
    assert batch.junction_mask.reshape(-1)[batch.edge_index].all()


def test_bad_radii_are_refused() -> None:
    with pytest.raises(ValueError, match="junction_radius needs to be a distance"):
        WireframeConfig(junction_radius=-1.0)
    with pytest.raises(ValueError, match="keypoint_radius needs to be a distance"):
        WireframeConfig(keypoint_radius=float("nan"))
