import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from gluestick.matching import assignment
from gluestick.matching.assignment import (
    log_double_softmax,
    mutual_matches,
    sigmoid_log_double_softmax,
)

MASK0 = torch.tensor([[True, True, True, False], [True, True, True, True], [False] * 4])
MASK1 = torch.tensor([[True, True, False], [False, False, False], [True, True, True]])


def double_softmax(scores: torch.Tensor, **masks: torch.Tensor) -> torch.Tensor:
    return log_double_softmax(scores, torch.tensor(0.7), *masks.values())


def sigmoid(scores: torch.Tensor, **masks: torch.Tensor) -> torch.Tensor:
    logits0, logits1 = scores.sum(2).detach().sin(), scores.sum(1).detach().cos()
    if not masks:
        return sigmoid_log_double_softmax(scores, logits0, logits1)
    torch.manual_seed(1)
    return sigmoid_log_double_softmax(
        scores, torch.randn(scores.shape[:2]), torch.randn(len(scores), 3), *masks.values()
    )


def test_double_softmax_values():
    scores = torch.tensor([[[2.0, 0.0], [1.0, 3.0]]])
    assignment = log_double_softmax(scores, torch.tensor(1.0))
    row = torch.tensor([2.0, 0.0, 1.0]).log_softmax(0)
    column = torch.tensor([2.0, 1.0, 1.0]).log_softmax(0)
    assert assignment.shape == (1, 3, 3)
    torch.testing.assert_close(assignment[0, 0, 0], (row[0] + column[0]) / 2)
    torch.testing.assert_close(assignment[0, 0, 2], row[2])
    torch.testing.assert_close(assignment[0, 2, 0], column[2])
    assert assignment[0, 2, 2] == 0


def test_sigmoid_double_softmax_values():
    scores = torch.tensor([[[2.0, 0.0], [1.0, 3.0]]])
    logits0, logits1 = torch.tensor([[0.5, -1.0]]), torch.tensor([[2.0, 0.1]])
    assignment = sigmoid_log_double_softmax(scores, logits0, logits1)
    row, column = scores[0, 0].log_softmax(0), scores[0, :, 0].log_softmax(0)
    expected = row[0] + column[0] + F.logsigmoid(logits0[0, 0]) + F.logsigmoid(logits1[0, 0])
    torch.testing.assert_close(assignment[0, 0, 0], expected)
    torch.testing.assert_close(assignment[0, 1, 2], F.logsigmoid(torch.tensor(1.0)))
    torch.testing.assert_close(assignment[0, 2, 1], F.logsigmoid(torch.tensor(-0.1)))
    assert assignment[0, 2, 2] == 0


@pytest.mark.parametrize("flavour", [double_softmax, sigmoid])
def test_masks(flavour):
    torch.manual_seed(0)
    scores = torch.randn(3, 4, 3, requires_grad=True)
    assignment = flavour(scores, mask0=MASK0, mask1=MASK1)
    possible = MASK0[:, :, None] & MASK1[:, None]
    assert torch.equal(assignment[:, :-1, :-1] > float("-inf"), possible)
    assert (assignment[:, :-1, -1][~MASK0] == 0).all()
    assert (assignment[:, -1, :-1][~MASK1] == 0).all()
    assert not assignment.isnan().any()
    torch.manual_seed(1)
    logits0, logits1 = torch.randn(3, 4)[:1, :3], torch.randn(3, 3)[:1, :2]
    alone = (
        double_softmax(scores[:1, :3, :2])
        if flavour is double_softmax
        else sigmoid_log_double_softmax(scores[:1, :3, :2], logits0, logits1)
    )
    torch.testing.assert_close(assignment[:1, :3, :2], alone[:, :3, :2])
    torch.testing.assert_close(assignment[:1, :3, 3], alone[:, :3, 2])
    assignment[assignment.isfinite()].sum().backward()
    assert scores.grad.isfinite().all()
    assert (scores.grad[~possible] == 0).all()


@pytest.mark.parametrize("flavour", [double_softmax, sigmoid])
@pytest.mark.parametrize(
    ("given", "expected"),
    [("bfloat16", "float32"), ("float16", "float32"), ("float64", "float64")],
)
def test_precision(flavour, given, expected):
    assignment = flavour(torch.zeros(1, 4, 3, dtype=getattr(torch, given)))
    assert assignment.dtype == getattr(torch, expected)


@pytest.mark.parametrize("flavour", [double_softmax, sigmoid])
@pytest.mark.parametrize("shape", [(2, 0, 3), (2, 4, 0), (2, 0, 0)])
def test_empty_sides(flavour, shape):
    assignment = flavour(torch.zeros(shape))
    assert assignment.shape == (2, shape[1] + 1, shape[2] + 1)
    assert not assignment.isnan().any()
    matches = mutual_matches(assignment, threshold=0.1)
    assert matches.matches0.tolist() == [[-1] * shape[1]] * 2
    assert matches.matches1.dtype == torch.int64
    assert matches.scores1.tolist() == [[0] * shape[2]] * 2


def test_mutual_matches():
    probability = torch.tensor(
        [
            [0.80, 0.10, 0.00],
            [0.70, 0.05, 0.00],
            [0.00, 0.15, 0.12],
            [0.00, 0.00, 0.00],
        ]
    )
    assignment = F.pad(probability.log(), (0, 1, 0, 1))[None]
    matches = mutual_matches(assignment, threshold=0.2)
    assert matches.matches0.tolist() == [[0, -1, -1, -1]]
    assert matches.matches1.tolist() == [[0, -1, -1]]
    torch.testing.assert_close(matches.scores0, torch.tensor([[0.8, 0, 0.15, 0]]))
    torch.testing.assert_close(matches.scores1, torch.tensor([[0.8, 0.15, 0]]))
    assert mutual_matches(assignment, threshold=0.1).matches0.tolist() == [[0, -1, 1, -1]]
    every = mutual_matches(assignment, threshold=0.0)
    for ours, expected in zip(every.above(0.2), matches, strict=True):
        assert torch.equal(ours, expected)


def test_impossible_pairs_never_match():
    assignment = torch.full((1, 3, 4), float("-inf"))
    matches = mutual_matches(assignment, threshold=0.0)
    assert (matches.scores0 == 0).all()
    assert (matches.scores1 == 0).all()
    assert (matches.matches0 == -1).all()
    assert (matches.matches1 == -1).all()


def test_copies_match_their_first():
    torch.manual_seed(0)
    log_assignment = torch.randn(3, 9, 8)
    log_assignment[:, 4:6] = log_assignment[:, 1:3]
    log_assignment[:, :, 5] = log_assignment[:, :, 2]
    found = mutual_matches(log_assignment, threshold=0.0)
    pairs = log_assignment[:, :-1, :-1]
    for image, values in enumerate(pairs):
        for row, column in enumerate(found.matches0[image].tolist()):
            best = int(values[row].argmax())
            expected = best if int(values[:, best].argmax()) == row else -1
            assert column == expected
            if column > -1:
                assert found.matches1[image, column] == row
                assert found.scores1[image, column] == values[row, column].exp()
        assert (found.matches1[image] > -1).sum() == (found.matches0[image] > -1).sum()


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("piece", [1, 7, 40])
def test_large_assignments_are_made_in_pieces(monkeypatch, masked, piece):
    torch.manual_seed(0)
    scores, matchability0 = 4 * torch.randn(2, 9, 13), torch.randn(2, 9)
    matchability1 = torch.randn(2, 13)
    masks = (torch.rand(2, 9) > 0.3, torch.rand(2, 13) > 0.3) if masked else (None, None)
    arguments = scores, matchability0, matchability1, *masks
    expected = sigmoid_log_double_softmax(*arguments)
    monkeypatch.setattr(assignment, "PIECE", piece)
    with torch.no_grad():
        found = sigmoid_log_double_softmax(*arguments)
    assert torch.equal(found, expected)


def test_pieces_are_not_made_for_training(monkeypatch):
    monkeypatch.setattr(assignment, "PIECE", 1)
    scores = torch.randn(1, 4, 5, requires_grad=True)
    sigmoid_log_double_softmax(scores, torch.zeros(1, 4), torch.zeros(1, 5)).sum().backward()
    assert scores.grad is not None
    assert torch.isfinite(scores.grad).all()
