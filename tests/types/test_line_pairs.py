import pytest
import torch

from gluestick.types.line_pairs import best_of_each, likely_pairs


def test_the_best_of_each_group() -> None:
    groups = torch.tensor([3, 1, 3, 1, 3])
    values = torch.tensor([0.2, 0.9, 0.8, 0.9, 0.5])
    assert best_of_each(groups, values, number=1).tolist() == [False, True, True, False, False]
    assert best_of_each(groups, values, number=2).tolist() == [False, True, True, True, True]


def test_pairs_are_among_the_best_of_both_lines() -> None:
    indices = torch.tensor([[0, 0, 0], [0, 0, 1], [0, 1, 1], [1, 0, 1]])
    probabilities = torch.tensor([0.6, 0.9, 0.95, 0.4])
    kept = likely_pairs(indices, probabilities, threshold=0.0, max_per_line=1)
    assert kept.tolist() == [False, False, True, True]
    kept = likely_pairs(indices, probabilities, threshold=0.5, max_per_line=None)
    assert kept.tolist() == [True, True, True, False]


@pytest.mark.parametrize("max_per_line", [None, 3])
def test_no_pairs(max_per_line: int | None) -> None:
    kept = likely_pairs(
        torch.zeros(0, 3, dtype=torch.int64),
        torch.zeros(0),
        threshold=0.5,
        max_per_line=max_per_line,
    )
    assert kept.tolist() == []
