import pytest
import torch
from peers.checks import assert_batch_gives_singles, assert_consistent
from peers.wireframes import make_wireframe, random_wireframe
from torch import Tensor

from gluestick.peers.nearest_neighbours import (
    NearestNeighbours,
    NearestNeighboursConfig,
    ratio_scores,
)

CONFIGS = (
    NearestNeighboursConfig(),
    NearestNeighboursConfig(max_ratio=0.8),
    NearestNeighboursConfig(match_lines=True),
)


def angles(*degrees: float) -> Tensor:
    """Return unit vectors in the plane, whose cosines are easy to tell."""
    radians = torch.deg2rad(torch.tensor(degrees))
    return torch.stack([radians.cos(), radians.sin()], dim=-1)


def test_mutual_nearest_neighbours_match() -> None:
    wireframe0 = make_wireframe(angles(0, 90, 100))
    wireframe1 = make_wireframe(angles(92, 10))
    matches = NearestNeighbours()(wireframe0, wireframe1)
    assert matches.matches0.tolist() == [[1, 0, -1]]
    assert matches.matches1.tolist() == [[1, 0]]
    cosines = torch.deg2rad(torch.tensor([10.0, 2.0])).cos()
    torch.testing.assert_close(matches.matching_scores0[0, :2], (1 + cosines) / 2)
    torch.testing.assert_close(
        matches.log_assignment[0, 0, :2].exp(),
        (1 + torch.deg2rad(torch.tensor([92.0, 10.0])).cos()) / 2,
    )
    assert_consistent(matches, wireframe0, wireframe1)


def test_the_ratio_is_taken_in_both_directions() -> None:
    """The first keypoint is clear in one direction and not in the other."""
    matcher = NearestNeighbours(NearestNeighboursConfig(max_ratio=0.8))
    wireframe0, wireframe1 = make_wireframe(angles(0, 12, 90)), make_wireframe(angles(10, 95))
    distance = 2 * torch.deg2rad(torch.tensor([2.0, 10.0, 5.0]) / 2).sin()
    for pair in ((wireframe0, wireframe1), (wireframe1, wireframe0)):
        matches = matcher(*pair)
        kept = matches.matching_scores0[matches.matches0 > -1]
        assert len(kept) == 2
        assert kept.max() == pytest.approx(float(1 - distance[2] / _chord(80)), abs=1e-3)
        assert kept.min() == pytest.approx(float(1 - distance[0] / distance[1]), abs=1e-3)
    strict = NearestNeighbours(NearestNeighboursConfig(max_ratio=0.15))(wireframe0, wireframe1)
    assert strict.matches0.tolist() == [[-1, -1, 1]]
    assert (strict.matching_scores0 > 0).sum() == 2


def _chord(degrees: float) -> float:
    return float(2 * torch.deg2rad(torch.tensor(degrees / 2)).sin())


def test_repeated_and_single_candidates_have_no_ratio() -> None:
    matcher = NearestNeighbours(NearestNeighboursConfig(max_ratio=1.0))
    repeated = matcher(make_wireframe(angles(0, 90)), make_wireframe(angles(0, 0)))
    assert (repeated.matches0 == -1).all()
    single = matcher(make_wireframe(angles(0, 90)), make_wireframe(angles(1)))
    assert (single.matches0 == -1).all()
    assert (single.matching_scores0 == 0).all()


def test_ratio_scores_ignore_what_is_no_candidate() -> None:
    similarity = angles(0, 1, 90) @ angles(0, 1, 90).T
    mask = torch.tensor([[True, False, True]])
    scores = ratio_scores(similarity[None], mask, mask)
    expected = torch.zeros(1, 3, 3)
    expected[0, 0, 0] = expected[0, 2, 2] = 1
    torch.testing.assert_close(scores, expected, atol=1e-3, rtol=0)


def test_lines_match_in_the_better_order_of_endpoints() -> None:
    keypoints = torch.zeros(0, 2)
    lines0 = torch.stack([angles(0, 90), angles(180, 200)])
    lines1 = torch.stack([angles(200, 180), angles(85, 5)])
    wireframe0, wireframe1 = make_wireframe(keypoints, lines0), make_wireframe(keypoints, lines1)
    matches = NearestNeighbours(NearestNeighboursConfig(match_lines=True))(wireframe0, wireframe1)
    assert matches.line_matches0.tolist() == [[1, 0]]
    assert matches.line_matching_scores0[0, 1] == pytest.approx(1.0)
    cosine = float(torch.deg2rad(torch.tensor(5.0)).cos())
    assert matches.line_matching_scores0[0, 0] == pytest.approx((1 + cosine) / 2)
    points_only = NearestNeighbours()(wireframe0, wireframe1)
    assert (points_only.line_matches0 == -1).all()
    assert points_only.line_log_assignment.shape == (1, 3, 3)
    assert torch.isneginf(points_only.line_log_assignment[:, :2, :2]).all()


@pytest.mark.parametrize("config", CONFIGS)
def test_junctions_have_no_influence_on_keypoints(config: NearestNeighboursConfig) -> None:
    with_lines = [random_wireframe(30, 8, seed=seed) for seed in (0, 1)]
    alone = [make_wireframe(wireframe.descriptors[0, 16:]) for wireframe in with_lines]
    matches, expected = NearestNeighbours(config)(*with_lines), NearestNeighbours(config)(*alone)
    found = matches.matches0[:, 16:]
    torch.testing.assert_close(torch.where(found > -1, found - 16, -1), expected.matches0)
    torch.testing.assert_close(matches.matching_scores0[:, 16:], expected.matching_scores0)
    assert (matches.matches0 > -1).any()
    assert_consistent(matches, *with_lines)


@pytest.mark.parametrize("config", CONFIGS)
def test_a_batch_gives_what_the_pairs_give(config: NearestNeighboursConfig) -> None:
    sizes = (((20, 6), (15, 4)), ((7, 0), (25, 9)), ((1, 1), (1, 1)), ((0, 0), (12, 3)))
    pairs = [
        tuple(random_wireframe(*size, seed=10 * row + side) for side, size in enumerate(pair))
        for row, pair in enumerate(sizes)
    ]
    assert_batch_gives_singles(NearestNeighbours(config), pairs)


@pytest.mark.parametrize("config", CONFIGS)
def test_nothing_to_match(config: NearestNeighboursConfig) -> None:
    empty = random_wireframe(0, 0, seed=0)
    matches = NearestNeighbours(config)(empty, empty)
    assert matches.matches0.shape == (1, 0)
    assert matches.log_assignment.tolist() == [[[0.0]]]
    matches = NearestNeighbours(config)(random_wireframe(5, 2, seed=0), empty)
    assert (matches.matches0 == -1).all()
    assert matches.line_matches0.tolist() == [[-1, -1]]
    assert (matches.log_assignment == 0).all()


def test_bad_input_is_an_error() -> None:
    with pytest.raises(ValueError, match="max_ratio"):
        NearestNeighboursConfig(max_ratio=0)
    wireframe = random_wireframe(5, 0, seed=0)
    with pytest.raises(ValueError, match="descriptors of size 16"):
        NearestNeighbours()(wireframe, random_wireframe(5, 0, dim=8, seed=0))
