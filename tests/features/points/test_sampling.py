import pytest
import torch

from gluestick.checks import ShapeError
from gluestick.features.points.sampling import (
    DenseSampler,
    find_peaks,
    sample_descriptors,
    sample_map,
    unit_rows,
)


def ramp(height: int, width: int) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([x, y]).float()


def test_a_ramp_gives_its_coordinates():
    positions = torch.tensor([[0.0, 0.0], [6.0, 3.0], [2.25, 1.5]])
    torch.testing.assert_close(sample_map(ramp(4, 7), positions), positions)


def test_positions_outside_get_the_border():
    sampled = sample_map(ramp(4, 7), torch.tensor([[-5.0, 1.0], [9.0, 9.0]]))
    torch.testing.assert_close(sampled, torch.tensor([[0.0, 1.0], [6.0, 3.0]]))


def test_one_pixel_map_and_no_positions():
    dense = torch.tensor([[[3.0]], [[4.0]]])
    torch.testing.assert_close(
        sample_descriptors(dense, torch.tensor([[0.0, 0.0], [8.0, -2.0]])),
        torch.tensor([[0.6, 0.8], [0.6, 0.8]]),
    )
    assert sample_map(dense, torch.zeros(0, 2)).shape == (0, 2)


def test_sampling_is_differentiable():
    dense = torch.rand(2, 4, 5, dtype=torch.float64, requires_grad=True)
    positions = torch.tensor([[1.3, 2.2], [3.7, 0.4]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(sample_descriptors, (dense, positions))


def test_wrong_ranks_are_errors():
    with pytest.raises(ShapeError, match="positions"):
        sample_map(ramp(4, 7), torch.zeros(1, 5, 2))
    with pytest.raises(ShapeError, match="dense"):
        sample_map(ramp(4, 7)[None], torch.zeros(5, 2))


def test_unit_rows_never_divide_by_zero():
    rows = unit_rows(torch.tensor([[0.0, 0.0, 0.0, 0.0], [0.0, 3.0, 0.0, 4.0], [1e-30, 0, 0, 0]]))
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(rows[1], torch.tensor([0.0, 0.6, 0.0, 0.8]))


def strict_maxima(scores: torch.Tensor, **options) -> list[list[int]]:
    peaks = find_peaks(scores, **{"threshold": 0.0, **options})
    return torch.stack([peaks.y, peaks.x], dim=1)[peaks.strict].tolist()


def test_strict_maxima_drop_ties_and_the_border():
    scores = torch.zeros(9, 9)
    scores[4, 2], scores[2, 6], scores[7, 6], scores[7, 7] = 0.9, 0.5, 0.7, 0.7
    scores[0, 4] = 1.0
    assert strict_maxima(scores, radius=1) == [[2, 6], [4, 2]]
    assert strict_maxima(scores, radius=2) == [[2, 6], [4, 2]][1:]


def test_maxima_exceed_the_threshold_and_lie_where_it_is_allowed():
    scores = torch.zeros(9, 9)
    scores[4, 2], scores[2, 6] = 0.9, 0.5
    assert strict_maxima(scores, radius=1, threshold=0.5) == [[4, 2]]
    allowed = torch.ones(9, 9, dtype=torch.bool)
    allowed[4, 2] = False
    assert strict_maxima(scores, radius=1, allowed=allowed) == [[2, 6]]


def test_the_window_of_a_peak():
    scores = torch.arange(25.0).reshape(5, 5)
    scores[2, 1] = 30
    peaks = find_peaks(scores, radius=1, threshold=0.0)
    assert peaks.windows.tolist() == [[5, 6, 7, 10, 30, 12, 15, 16, 17]]
    assert peaks.offsets[:4].tolist() == [[-1, -1], [0, -1], [1, -1], [-1, 0]]


@pytest.mark.parametrize("size", [(1, 1), (4, 9), (9, 4)])
def test_maps_smaller_than_the_window_have_no_maxima(size):
    assert strict_maxima(torch.rand(size), radius=2) == []


def test_a_sampler_takes_other_types_and_needs_no_gradient():
    sampler = DenseSampler(dense=ramp(4, 7).requires_grad_())
    described = sampler(torch.tensor([[6, 3]]))
    torch.testing.assert_close(described, torch.tensor([[6.0, 3.0]]) / 45**0.5)
    assert not described.requires_grad
