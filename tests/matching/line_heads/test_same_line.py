from dataclasses import replace

import pytest
import torch
from matching.wireframes import make_wireframe, matching_pair, with_colors
from torch import Tensor

from gluestick.matching.assignment import mutual_matches
from gluestick.matching.line_heads import same_line_features as parts
from gluestick.matching.line_heads.candidate_pairs import (
    LinePairs,
    is_near,
    possibly_near,
)
from gluestick.matching.line_heads.guidance import (
    PointMatches,
    compare_one_by_one,
    compare_segments,
    find_near_matches,
    in_units,
)
from gluestick.matching.line_heads.neighbour_sides import (
    NUM_SIDE_NEIGHBOURS,
    find_neighbours,
    side_channels,
)
from gluestick.matching.line_heads.same_line import (
    SameLineHead,
    ScoredPairs,
    one_to_one_assignment,
)
from gluestick.matching.line_heads.same_line_features import (
    NUM_SAME_LINE_FEATURES,
    same_line_features,
)
from gluestick.types import Wireframe
from gluestick.wireframe import stack_wireframes


def carried_matches(wireframe0: Wireframe, wireframe1: Wireframe, *, noise: float = 1.0):
    """Match every node of image 0, with noise, to where it is in image 1."""
    torch.manual_seed(1)
    positions0 = in_units(wireframe0.keypoints, wireframe0)
    moved = 0.98 * positions0 + 3 + noise * torch.randn_like(positions0)
    return PointMatches(positions0, moved, torch.rand(positions0.shape[:2]) * 0.8 + 0.2)


def scene(seed: int = 0) -> tuple[Wireframe, Wireframe, Tensor, PointMatches]:
    wireframe0, wireframe1 = matching_pair(80, 24, 12, seed=seed)
    wireframe0, wireframe1 = with_colors(wireframe0, seed=1), with_colors(wireframe1, seed=2)
    torch.manual_seed(seed)
    # As found in images, lines do not end exactly at their junctions.
    wireframe0, wireframe1 = (
        replace(w, detected_lines=w.detected_lines + 0.7 * torch.randn(w.lines.shape))
        for w in (wireframe0, wireframe1)
    )
    similarity = torch.randn(1, 24, 24) * 10
    return wireframe0, wireframe1, similarity, carried_matches(wireframe0, wireframe1)


def dense(pairs: LinePairs, values: Tensor, shape: tuple[int, int, int]) -> Tensor:
    full = values.new_full((*shape, values.shape[1]), float("nan"))
    return full.index_put(tuple(pairs), values)


def same(first: Tensor, second: Tensor, *, tolerance: float = 1e-3) -> None:
    torch.testing.assert_close(first, second, atol=tolerance, rtol=1e-3, equal_nan=True)


def test_exchanging_the_images_changes_nothing() -> None:
    wireframe0, wireframe1, similarity, matches = scene()
    pairs, features = same_line_features(wireframe0, wireframe1, similarity, matches)
    assert features.shape == (len(pairs.line0), NUM_SAME_LINE_FEATURES)
    back = same_line_features(wireframe1, wireframe0, similarity.mT, matches.swapped())
    forth = dense(pairs, features, (1, 12, 12))
    same(forth, dense(back.pairs, back.features, (1, 12, 12)).transpose(1, 2))


def test_exchanging_endpoints_changes_nothing() -> None:
    wireframe0, wireframe1, similarity, matches = scene()
    expected = dense(*same_line_features(wireframe0, wireframe1, similarity, matches), (1, 12, 12))
    turned = replace(
        wireframe0,
        lines=wireframe0.lines.flip(2),
        detected_lines=wireframe0.detected_lines.flip(2),
        line_junctions=wireframe0.line_junctions.flip(2),
        side_colors=wireframe0.side_colors.flip(2),
    )
    found = dense(*same_line_features(turned, wireframe1, similarity, matches), (1, 12, 12))
    same(found, expected)


def test_a_batch_gives_what_its_pairs_give() -> None:
    first, second = scene(0), scene(3)
    small = matching_pair(30, 8, 5, seed=5)
    small = with_colors(small[0], seed=3), with_colors(small[1], seed=4)
    third = (*small, torch.randn(1, 8, 8), carried_matches(*small))
    head = SameLineHead().eval()
    singles = [head.score_pairs(*values) for values in (first, second, third)]
    wireframes = [stack_wireframes([v[side] for v in (first, second, third)]) for side in (0, 1)]
    similarity = torch.zeros(3, 24, 24)
    nodes = wireframes[0].keypoints.shape[1]
    matches = PointMatches(
        torch.zeros(3, nodes, 2), torch.zeros(3, nodes, 2), torch.zeros(3, nodes)
    )
    for row, values in enumerate((first, second, third)):
        size = values[2].shape[1]
        similarity[row, :size, :size] = values[2][0]
        for whole, single in zip(matches, values[3], strict=True):
            whole[row, : single.shape[1]] = single[0]
    batch = head.score_pairs(*wireframes, similarity, matches)
    for row, single in enumerate(singles):
        own = batch.pairs.image == row
        assert torch.equal(batch.pairs.line0[own], single.pairs.line0)
        assert torch.equal(batch.pairs.line1[own], single.pairs.line1)
        same(batch.outputs[own], single.outputs)


def test_few_lines_at_a_time_give_what_all_give(monkeypatch: pytest.MonkeyPatch) -> None:
    wireframe0, wireframe1, similarity, matches = scene()
    expected = same_line_features(wireframe0, wireframe1, similarity, matches)
    monkeypatch.setattr(parts, "PAIRS_AT_ONCE", 30)
    found = same_line_features(wireframe0, wireframe1, similarity, matches)
    assert len(found.pairs.line0) > 12
    for ours, theirs in zip(found.pairs, expected.pairs, strict=True):
        assert torch.equal(ours, theirs)
    same(found.features, expected.features)


def test_pairs_that_come_near_are_never_passed_over() -> None:
    torch.manual_seed(0)
    carried, others = torch.rand(2, 2, 3, 1, 60) * 300, torch.rand(2, 2, 1, 50) * 300
    rough = possibly_near(carried, others)
    index = torch.cartesian_prod(torch.arange(60), torch.arange(50))
    agreement = compare_one_by_one(carried[..., 0, index[:, 0]], others[..., 0, index[:, 1]])
    near = is_near(agreement)
    assert 100 < near.sum() < 2900
    assert rough[0].flatten()[near].all()
    dense = compare_segments(carried[:, :, :, 0].permute(2, 3, 0, 1), others.permute(2, 3, 0, 1))
    same(agreement.distance, dense.distance.flatten(1), tolerance=0.05)
    same(agreement.share, dense.share.flatten(1))


@pytest.mark.parametrize(("lines0", "lines1"), [(0, 0), (0, 4), (4, 0), (1, 1)])
def test_few_lines(lines0: int, lines1: int) -> None:
    wireframe0 = with_colors(make_wireframe(10, 2 * lines0, lines0), seed=0)
    wireframe1 = with_colors(make_wireframe(10, 2 * lines1, lines1, seed=1), seed=1)
    matches = carried_matches(wireframe0, wireframe1)
    similarity = torch.zeros(1, 2 * lines0, 2 * lines1)
    scored = SameLineHead().score_pairs(wireframe0, wireframe1, similarity, matches)
    assignment = one_to_one_assignment(scored, wireframe0, wireframe1)
    assert assignment.shape == (1, lines0 + 1, lines1 + 1)
    assert not assignment.isnan().any()


def test_wireframes_without_colors_are_refused() -> None:
    wireframe0, wireframe1, similarity, matches = scene()
    bare = replace(wireframe1, side_colors=None)
    with pytest.raises(ValueError, match=r"features\.side_colors=true"):
        SameLineHead().score_pairs(wireframe0, bare, similarity, matches)


def test_the_head_stays_in_single_precision() -> None:
    wireframe0, wireframe1, similarity, matches = scene()
    head = SameLineHead()
    expected = head.score_pairs(wireframe0, wireframe1, similarity, matches).outputs
    with torch.autocast("cpu", torch.bfloat16):
        found = head.half().score_pairs(wireframe0, wireframe1, similarity, matches).outputs
    assert torch.equal(found, expected)


def test_without_any_match_of_points_nothing_is_nan() -> None:
    wireframe0, wireframe1, similarity, matches = scene()
    none = matches._replace(weights=torch.zeros_like(matches.weights))
    _, features = same_line_features(wireframe0, wireframe1, similarity, none)
    assert features.isfinite().all()


def test_copies_of_a_line_are_all_matched() -> None:
    wireframe, _ = matching_pair(10, 24, 12)
    index = torch.arange(12).repeat(3)
    tripled = replace(
        wireframe,
        lines=wireframe.lines[:, index],
        detected_lines=wireframe.detected_lines[:, index],
        line_scores=wireframe.line_scores[:, index],
        line_mask=wireframe.line_mask[:, index],
        line_junctions=wireframe.line_junctions[:, index],
    )
    row, column = torch.meshgrid(torch.arange(36), torch.arange(36), indexing="ij")
    pairs = LinePairs(torch.zeros(36 * 36, dtype=torch.int64), row.flatten(), column.flatten())
    right = (row % 12 == column % 12).flatten()
    outputs = torch.where(right, 4.0, -6.0)[:, None].expand(-1, 3)
    assignment = one_to_one_assignment(ScoredPairs(pairs, outputs), tripled, tripled)
    found = mutual_matches(assignment, threshold=0.5)
    assert torch.equal(found.matches0[0], torch.arange(36))
    # As likely as if each line were there once.
    assert found.scores0.min() > 0.9


def test_lines_in_a_mirror_have_their_neighbours_on_the_wrong_side() -> None:
    torch.manual_seed(0)
    points = torch.rand(1, 200, 2) * torch.tensor([640.0, 480.0])
    lines = torch.tensor([[[[100.0, 100.0], [300.0, 180.0]]]])
    flip = torch.tensor([-1.0, 1.0])
    for sign, expected in ((torch.ones(2), 1.0), (flip, -1.0)):
        matches = PointMatches(points, points * sign, torch.ones(1, 200))
        near = find_near_matches(lines, matches, number=NUM_SIDE_NEIGHBOURS)
        segment = lines.permute(2, 3, 0, 1)
        neighbours = find_neighbours(segment, matches, near)
        around = type(neighbours)(*(value[:, 0] for value in neighbours))
        partner = segment[:, :, 0] * sign[:, None]
        kept, *_ = side_channels(around, partner, torch.ones(1))
        assert float(kept) == pytest.approx(expected, abs=0.15)


def test_gradients_reach_the_similarity() -> None:
    wireframe0, wireframe1, similarity, matches = scene()
    similarity.requires_grad_()
    head = SameLineHead()
    head.score_pairs(wireframe0, wireframe1, similarity, matches).outputs.sum().backward()
    assert similarity.grad is not None
    assert similarity.grad.abs().sum() > 0
