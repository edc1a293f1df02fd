import pytest
import torch
from matching.wireframes import make_wireframe

from gluestick.geometry.lines import distances_from_lines
from gluestick.matching.line_heads.guidance import (
    PointMatches,
    carry_lines,
    compare_segments,
    find_near_matches,
    in_units,
    point_matches,
)

AFFINE = torch.tensor([[0.8, 0.3], [-0.25, 0.9], [40.0, -20.0]])
LINES = torch.tensor([[[[120.0, 100.0], [300.0, 140.0]], [[420.0, 380.0], [400.0, 250.0]]]])


def mapped(points: torch.Tensor) -> torch.Tensor:
    return points @ AFFINE[:2] + AFFINE[2]


def matches_of(positions0: torch.Tensor, positions1: torch.Tensor) -> PointMatches:
    return PointMatches(positions0[None], positions1[None], torch.ones(1, len(positions0)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_nearest_matches_are_found_on_both_sides(dtype: torch.dtype) -> None:
    torch.manual_seed(2)
    points, weights = torch.rand(1, 60, 2, dtype=dtype) * 500, torch.rand(1, 60, dtype=dtype) - 0.2
    lines = LINES.to(dtype)
    near = find_near_matches(lines, PointMatches(points, points, weights), number=5)
    start, step = lines[0, :, None, 0], lines[0, :, None, 1] - lines[0, :, None, 0]
    offset = points - start
    side = offset[..., 0] * step[..., 1] - offset[..., 1] * step[..., 0]
    distance = distances_from_lines(points, lines[0])
    counted = (distance < 120) & (weights > 0)
    for kind, own in enumerate((counted, counted & (side > 0), counted & (side < 0))):
        expected, index = torch.where(own, distance, torch.inf).sort(dim=1)
        torch.testing.assert_close(near.distance[0, kind], expected[:, :5])
        found = near.distance[0, kind].isfinite()
        assert torch.equal(near.indices[0, kind][found], index[:, :5][found])


def grid() -> torch.Tensor:
    x, y = torch.meshgrid(torch.arange(0, 640, 25), torch.arange(0, 480, 25), indexing="xy")
    return torch.stack([x, y], -1).view(-1, 2) + 0.3


def test_an_affine_map_is_followed_despite_outliers() -> None:
    points = grid()
    torch.manual_seed(0)
    targets = torch.where(
        torch.rand(len(points), 1) < 0.3, torch.rand(len(points), 2) * 500, mapped(points)
    )
    carried = carry_lines(LINES, matches_of(points, targets))
    assert carried.lines.shape == (1, 3, 2, 2, 2)
    torch.testing.assert_close(carried.lines[:, 0], mapped(LINES), atol=1.5, rtol=0)
    assert (carried.support > 0).all()


def test_each_side_of_a_line_has_its_own_motion() -> None:
    line = torch.tensor([[[[320.0, 100.0], [320.0, 380.0]]]])
    points = grid()
    shift = torch.where(points[:, :1] < 320, 0.0, 30.0) * torch.tensor([1.0, 0.0])
    carried = carry_lines(line, matches_of(points, points + shift))
    sides = sorted(float(carried.lines[0, side, 0, :, 0].mean()) for side in (1, 2))
    assert sides == pytest.approx([320, 350], abs=2.5)


def test_few_neighbours_leave_a_line_to_the_global_map() -> None:
    points = grid()
    points = points[points[:, 0] > 450]
    line = torch.tensor([[[[20.0, 100.0], [60.0, 300.0]]]])
    carried = carry_lines(line, matches_of(points, mapped(points)))
    assert (carried.support == 0).all()
    torch.testing.assert_close(carried.lines[0, 0], mapped(line)[0], atol=5, rtol=0)


@pytest.mark.parametrize("number", [0, 7])
def test_without_matches_lines_stay(number: int) -> None:
    positions = torch.rand(1, number, 2) * 400
    matches = PointMatches(positions, positions + 50, torch.zeros(1, number))
    carried = carry_lines(LINES, matches)
    torch.testing.assert_close(carried.lines, LINES[:, None].expand(-1, 3, -1, -1, -1))
    assert (carried.support == 0).all()
    assert (carried.spread == 0).all()


def test_what_has_no_weight_has_no_influence() -> None:
    points = grid()
    alone = carry_lines(LINES, matches_of(points, mapped(points)))
    padded = PointMatches(
        torch.cat([points, torch.rand(50, 2) * 600])[None],
        torch.cat([mapped(points), torch.rand(50, 2) * 600])[None],
        torch.cat([torch.ones(len(points)), torch.zeros(50)])[None],
    )
    torch.testing.assert_close(carry_lines(LINES, padded).lines, alone.lines)


def test_lines_without_length_are_carried() -> None:
    points = grid()
    carried = carry_lines(torch.full((1, 1, 2, 2), 200.0), matches_of(points, mapped(points)))
    assert carried.lines.isfinite().all()


def test_agreement_of_segments() -> None:
    segments = torch.tensor([[[0.0, 3.0], [100.0, 3.0]]])
    others = torch.tensor(
        [
            [[50.0, 0.0], [250.0, 0.0]],  # 3 px beside, 50 px in common
            [[20.0, 13.0], [70.0, 3.0]],  # crosses from 10 to 0 px
            [[130.0, 3.0], [180.0, 3.0]],  # on the same line, after a gap of 30 px
            [[250.0, 0.0], [50.0, 0.0]],  # the first, in the other direction
        ]
    )
    agreement = compare_segments(segments, others)
    expected = torch.tensor([[0.5, 0.5, -0.3, 0.5]])
    torch.testing.assert_close(agreement.share, expected, atol=0.04, rtol=0)
    torch.testing.assert_close(agreement.other_share[0, [0, 2]], torch.tensor([0.25, -0.6]))
    torch.testing.assert_close(agreement.distance[0, [0, 2, 3]], torch.tensor([3.0, 0.0, 3.0]))
    assert 4 < float(agreement.distance[0, 1]) < 6


def test_agreement_follows_from_samples() -> None:
    torch.manual_seed(3)
    segments, others = torch.rand(20, 2, 2) * 200, torch.rand(30, 2, 2) * 200
    agreement = compare_segments(segments, others)
    steps = torch.linspace(0, 1, 2001)[:, None]
    for row in range(20):
        samples = segments[row, 0] + steps * (segments[row, 1] - segments[row, 0])
        for column in range(30):
            start, step = others[column, 0], others[column, 1] - others[column, 0]
            along = (samples - start) @ step / step.square().sum()
            beside = (along >= 0) & (along <= 1)
            share = float(beside.float().mean())
            assert max(0.0, float(agreement.share[row, column])) <= 1 + 1e-5
            if share > 0.01:
                projected = float((along.amax() - along.amin()) * step.norm())
                length = float((segments[row, 1] - segments[row, 0]).norm())
                # The share is measured along the other segment.
                assert agreement.share[row, column] == pytest.approx(
                    share * projected / length, abs=2e-3
                )


def test_positions_count_in_shares_of_the_longer_side() -> None:
    wireframe = make_wireframe(5, 4, 3)
    torch.testing.assert_close(in_units(wireframe.keypoints, wireframe), wireframe.keypoints)
    assert in_units(wireframe.lines, wireframe).shape == wireframe.lines.shape


def test_matches_come_from_the_assignment() -> None:
    wireframe0, wireframe1 = make_wireframe(5, 4, 3), make_wireframe(6, 2, 1, seed=1)
    assignment = torch.full((1, 10, 9), -10.0)
    assignment[0, 2, 7] = -0.5
    assignment[0, 4, 1] = -3.0  # too unlikely
    matches = point_matches(wireframe0, wireframe1, assignment)
    assert matches.weights.shape == (1, 9)
    assert torch.nonzero(matches.weights[0]).view(-1).tolist() == [2]
    torch.testing.assert_close(matches.weights[0, 2], torch.tensor(-0.5).exp())
    torch.testing.assert_close(matches.positions1[0, 2], wireframe1.keypoints[0, 7])
    nothing = point_matches(wireframe0, make_wireframe(0, 0, 0), torch.zeros(1, 10, 1))
    assert (nothing.weights == 0).all()
