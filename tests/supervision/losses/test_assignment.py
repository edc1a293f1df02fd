import pytest
import torch

from gluestick.supervision.losses.assignment import line_assignment_loss
from gluestick.supervision.rules import TrueMatches


def test_loss_of_a_small_assignment() -> None:
    assignment = -torch.arange(12.0).view(1, 3, 4)
    truth = TrueMatches(torch.tensor([[1, -1]]), torch.tensor([[-2, 0, -1]]))
    # The match costs 1; line 1 of image 0 unmatched costs 7, line 2 of image 1 costs 10.
    assert line_assignment_loss(assignment, truth) == pytest.approx(1 + 8.5)


def test_ignored_lines_have_no_loss() -> None:
    assignment = torch.full((1, 3, 3), float("-inf"), requires_grad=True)
    ignored = torch.full((1, 2), -2)
    loss = line_assignment_loss(assignment, TrueMatches(ignored, ignored))
    loss.backward()
    assert loss == 0
    assert not assignment.grad.isnan().any()


def test_a_batch_counts_all_its_lines_alike() -> None:
    assignment = -torch.arange(24.0).view(2, 3, 4)
    truth = TrueMatches(
        torch.tensor([[1, -2], [-2, 2]]), torch.tensor([[-2, -2, -2], [-1, -1, -2]])
    )
    # The matches cost 1 and 18; lines 0 and 1 of the second image 1 cost 20 and 21 unmatched.
    assert line_assignment_loss(assignment, truth) == pytest.approx((1 + 18) / 2 + 20.5)


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_without_lines_there_is_no_loss(shape: tuple[int, int]) -> None:
    num_lines0, num_lines1 = shape
    assignment = torch.zeros(2, num_lines0 + 1, num_lines1 + 1, requires_grad=True)
    truth = TrueMatches(torch.full((2, num_lines0), -2), torch.full((2, num_lines1), -2))
    loss = line_assignment_loss(assignment, truth)
    loss.backward()
    assert loss == 0
    assert (assignment.grad == 0).all()


def test_gradients_reach_what_is_selected() -> None:
    assignment = torch.randn(1, 3, 4, dtype=torch.float64, requires_grad=True)
    truth = TrueMatches(torch.tensor([[1, -1]]), torch.tensor([[-2, 0, -1]]))
    assert torch.autograd.gradcheck(lambda values: line_assignment_loss(values, truth), assignment)
