import pytest
import torch
from torch.testing import assert_close

from gluestick.supervision.line_neighbours import (
    count_samples_beside,
    is_beside,
    may_have_beside,
    supervised_frames,
)
from gluestick.supervision.rules import GroundTruthConfig

EXACT = GroundTruthConfig()


def random_lines(number: int, generator: torch.Generator) -> torch.Tensor:
    start = torch.rand(2, number, 1, 2, generator=generator) * 200
    step = (torch.rand(2, number, 1, 2, generator=generator) - 0.5) * 100
    return torch.cat([start, start + step], dim=2)


def test_frames() -> None:
    lines = torch.tensor([[[10.0, 10.0], [10.0, 40.0]]])
    frames = supervised_frames(lines, config=EXACT)
    along, across = frames.coordinates(torch.tensor([[10.0, 13.0]]), torch.tensor([[10.0, 45.0]]))
    assert_close(along, torch.tensor([[30.0, -5.0]]))
    assert_close(across.abs(), torch.tensor([[0.0, 3.0]]))
    assert is_beside(frames, along, across, config=EXACT).tolist() == [[True, False]]


def test_published_lengths_have_half_precision() -> None:
    lines = torch.tensor([[[0.0, 0.0], [300.1, 0.0]]])
    config = GroundTruthConfig(glue_factory_numerics=True)
    assert supervised_frames(lines, config=config).length.item() == 300.0


@pytest.mark.parametrize("visible_share", [0.0, 0.1, 0.7, 1.0])
def test_counts_are_those_of_all_pairs(visible_share: float) -> None:
    generator = torch.Generator().manual_seed(0)
    lines, others = random_lines(30, generator), random_lines(40, generator)
    fractions = torch.linspace(0, 1, 20)[:, None]
    samples = others[:, :, :1] * (1 - fractions) + others[:, :, 1:] * fractions
    samples = samples + 3 * torch.randn(samples.shape, generator=generator)
    visible = torch.rand(2, 40, 20, generator=generator) < visible_share
    samples[0][~visible[0]] = torch.nan
    lines[:, 0, 1] = lines[:, 0, 0]
    frames = supervised_frames(lines[:, :, None], config=EXACT)
    along, across = frames.coordinates(*samples[:, None].unbind(-1))
    expected = (is_beside(frames, along, across, config=EXACT) & visible[:, None]).sum(-1)
    assert (expected > 0).any() == (visible_share > 0)
    assert (expected[:, 0] == 0).all()
    among = may_have_beside(lines, samples, visible, config=EXACT)
    assert among.float().mean() < 0.5
    counts = count_samples_beside(lines, samples, visible, among=among, config=EXACT)
    assert_close(counts, expected)
    half = torch.rand(among.shape, generator=generator) < 0.5
    counts = count_samples_beside(lines, samples, visible, among=half, config=EXACT)
    assert_close(counts, expected * half)


@pytest.mark.parametrize(("number", "others"), [(0, 0), (0, 3), (3, 0)])
def test_without_lines(number: int, others: int) -> None:
    lines, samples = torch.rand(2, number, 2, 2), torch.rand(2, others, 20, 2)
    visible = torch.ones(2, others, 20, dtype=torch.bool)
    among = may_have_beside(lines, samples, visible, config=EXACT)
    counts = count_samples_beside(lines, samples, visible, among=among, config=EXACT)
    assert among.shape == counts.shape == (2, number, others)
