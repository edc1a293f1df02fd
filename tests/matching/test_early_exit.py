import pytest
import torch

from gluestick.matching.early_exit import (
    TokenConfidence,
    confidence_threshold,
    keypoints_to_keep,
    pairs_to_stop,
    restore_order,
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
