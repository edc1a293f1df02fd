import pytest
import torch

from gluestick.matching.line_heads.candidate_pairs import LinePairs
from gluestick.matching.line_heads.epipolar_overlap import (
    EpipolarGeometry,
    epipolar_channels,
    fit_fundamental_matrix,
)
from gluestick.matching.line_heads.guidance import PointMatches

F_SIDEWAYS = torch.tensor([[[0.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]]).double()
"""Of a camera that moves sideways: rows stay."""

UPRIGHT = torch.tensor([[100.0, 100.0], [100.0, 200.0]])[..., None, None]
SIDEWAYS = EpipolarGeometry(F_SIDEWAYS, torch.tensor([80.0]))
FIRST = LinePairs(*torch.zeros(3, 1, dtype=torch.int64))


def sideways_matches(*, noise: float = 0.0) -> PointMatches:
    generator = torch.Generator().manual_seed(0)
    positions0 = torch.rand(1, 80, 2, generator=generator) * 600
    disparity = 10 + 80 * torch.rand(1, 80, generator=generator)
    positions1 = positions0 - torch.stack([disparity, torch.zeros_like(disparity)], dim=-1)
    positions1 += noise * torch.randn(1, 80, 2, generator=generator)
    return PointMatches(positions0, positions1, torch.ones(1, 80))


def test_the_geometry_of_a_sideways_move_is_found() -> None:
    F, support = fit_fundamental_matrix(sideways_matches())
    expected = F_SIDEWAYS / F_SIDEWAYS.norm()
    assert min((F - expected).abs().max(), (F + expected).abs().max()) < 2e-3
    assert float(support) == pytest.approx(80, abs=0.1)


def test_noise_leaves_matches_near_their_epipolar_lines() -> None:
    matches = sideways_matches(noise=0.5)
    F, support = fit_fundamental_matrix(matches)
    ones = torch.ones(1, 80, 1)
    x0, x1 = (
        torch.cat([positions, ones], dim=-1).double()
        for positions in (matches.positions0, matches.positions1)
    )
    lines = x0 @ F.mT
    distance = (lines * x1).sum(-1).abs() / lines[..., :2].norm(dim=-1)
    assert float(distance.median()) < 1.0
    assert float(support) > 60


def test_segments_share_the_rows_that_both_have() -> None:
    shifted = UPRIGHT + torch.tensor([-40.0, 50.0])[:, None, None]
    smaller, larger, low, high = epipolar_channels(UPRIGHT, shifted, FIRST, SIDEWAYS)
    assert float(smaller) == pytest.approx(50 / 150, abs=1e-5)
    assert float(larger) == pytest.approx(50 / 150, abs=1e-5)
    assert float(low) == float(high) == pytest.approx(1.0)


def test_segments_along_epipolar_lines_say_nothing() -> None:
    level = torch.tensor([[100.0, 100.0], [200.0, 100.0]])[..., None, None]
    *_, low, high = epipolar_channels(level, level, FIRST, SIDEWAYS)
    assert float(low) == float(high) == 0.0


def test_without_matches_all_is_zero() -> None:
    none = PointMatches(torch.zeros(1, 0, 2), torch.zeros(1, 0, 2), torch.zeros(1, 0))
    channels = epipolar_channels(UPRIGHT, UPRIGHT, FIRST, fit_fundamental_matrix(none))
    assert all(float(value) == 0.0 for value in channels)
