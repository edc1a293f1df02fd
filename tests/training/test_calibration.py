import pytest
import torch

from gluestick.training.calibration import average_precision, calibration_error

SCORES = torch.tensor([0.9, 0.8, 0.7, 0.6])
ONES = torch.ones(4)


def test_average_precision() -> None:
    true = torch.tensor([True, False, True, False])
    assert average_precision(SCORES, true, ONES) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(SCORES, torch.ones(4, dtype=torch.bool), ONES) == 1.0
    assert average_precision(SCORES, torch.zeros(4, dtype=torch.bool), ONES) == 0.0


def test_weights_count_as_often_as_they_say() -> None:
    true = torch.tensor([True, False, True, False])
    weighted = average_precision(SCORES, true, torch.tensor([1.0, 3.0, 1.0, 1.0]))
    repeated = average_precision(
        SCORES[[0, 1, 1, 1, 2, 3]], true[[0, 1, 1, 1, 2, 3]], torch.ones(6)
    )
    assert weighted == pytest.approx(repeated)


def test_calibrated_probabilities_have_no_error() -> None:
    true = torch.arange(10) < 7
    assert calibration_error(torch.full((10,), 0.7), true, torch.ones(10)) < 1e-6
    assert calibration_error(torch.full((10,), 0.5), true, torch.ones(10)) == pytest.approx(0.2)


def test_what_is_certainly_different_hides_no_error() -> None:
    probabilities = torch.cat([torch.full((10,), 0.5), torch.zeros(1000)])
    true = torch.zeros(1010, dtype=torch.bool)
    assert calibration_error(probabilities, true, torch.ones(1010)) == pytest.approx(0.5)
    assert calibration_error(torch.zeros(3), true[:3], torch.ones(3)) == 0.0
