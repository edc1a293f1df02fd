import time

import pytest

from gluestick.timing import StageTimer


def test_adds_up_per_stage_in_order() -> None:
    timer = StageTimer()
    for _ in range(2):
        with timer.stage("slow"):
            time.sleep(0.02)
    with timer.stage("fast"):
        pass
    assert list(timer.seconds) == ["slow", "fast"]
    assert timer.seconds["slow"] >= 0.04 > timer.seconds["fast"]


def test_counts_a_stage_that_fails() -> None:
    timer = StageTimer()

    def fail() -> None:
        with timer.stage("failing"):
            time.sleep(0.01)
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    assert timer.seconds["failing"] >= 0.01
