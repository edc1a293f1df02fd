import pytest
import torch

from gluestick.matching.early_exit import (
    TokenConfidence,
    confidence_threshold,
    keypoints_to_keep,
    pairs_to_stop,
    restore_order,
    share_found,
)


def test_confidence_threshold_falls_from_0_9():
    thresholds = [confidence_threshold(layer, 9) for layer in range(9)]
    assert thresholds[0] == pytest.approx(0.9)
    assert thresholds == sorted(thresholds, reverse=True)
    assert thresholds[-1] > 0.8


def test_pairs_to_stop():
    unsure0 = torch.tensor([[True, False, False], [True, True, False], [False] * 3])
    unsure1 = torch.tensor([[False, False], [True, False], [False, False]])
    stop = pairs_to_stop(unsure0, unsure1, torch.tensor([10, 10, 0]), depth_confidence=0.8)
    assert stop.tolist() == [True, False, False]


def assignment(pairs: list[list[float]], unmatched0: list[float], unmatched1: list[float]):
    rows = torch.tensor([[*row, rest] for row, rest in zip(pairs, unmatched0, strict=True)])
    return torch.cat([rows, torch.tensor([[*unmatched1, 1.0]])])[None].log()


def test_share_found_compares_matches_with_what_is_to_be_expected():
    sure = assignment([[0.9, 0.0], [0.0, 0.7]], [0.1, 0.2], [0.05, 0.2])
    vague = assignment([[0.3, 0.2], [0.2, 0.05]], [0.1, 0.1], [0.1, 0.3])
    both = share_found(torch.cat([sure, vague]), threshold=0.1)
    torch.testing.assert_close(both, torch.tensor([1.6 / 1.7, 0.3 / 1.6]))


def test_nothing_to_be_found_is_all_found():
    nothing = torch.zeros(2, 3, 4).fill_(float("-inf"))
    nothing[:, :, -1] = nothing[:, -1] = 0
    assert share_found(nothing, threshold=0.1).tolist() == [1, 1]
    assert share_found(torch.zeros(1, 1, 1), threshold=0.1).tolist() == [1]


def test_keypoints_to_keep():
    matchability = torch.tensor([[0.5, 0.005, 0.005]])
    options = {"width_confidence": 0.99, "threshold": 0.85}
    assert keypoints_to_keep(matchability, None, **options).tolist() == [[True, False, False]]
    confidence = torch.tensor([[0.9, 0.9, 0.8]])
    assert keypoints_to_keep(matchability, confidence, **options).tolist() == [[True, False, True]]


def test_restore_order():
    values = torch.arange(5)
    chunks = [
        (rows, (values[rows], values[rows] * 2))
        for rows in (values[[3]], values[[0, 4]], values[[1, 2]])
    ]
    first, second = restore_order(chunks)
    assert torch.equal(first, values)
    assert torch.equal(second, 2 * values)


def test_confidence_has_no_gradient_to_the_nodes():
    confidence, x = TokenConfidence(8), torch.randn(2, 5, 8, requires_grad=True)
    logits = confidence(x)
    torch.testing.assert_close(logits.sigmoid(), confidence.token(x).squeeze(-1))
    logits.sum().backward()
    assert x.grad is None
    assert confidence.token[0].weight.grad is not None
