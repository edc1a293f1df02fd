import pytest
import torch

from gluestick.timing import NO_TIMES, StageTimer


class Clock:
    """Shows the time that it was set to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("time.perf_counter", clock)
    return clock


def test_adds_up_per_stage_in_order(clock: Clock) -> None:
    timer = StageTimer()
    assert timer.seconds == {}
    for seconds in (2.0, 0.5):
        with timer.stage("slow"):
            clock.now += seconds
        clock.now += 7.0  # between the stages
    with timer.stage("fast"):
        clock.now += 0.25
    assert list(timer.seconds.items()) == [("slow", 2.5), ("fast", 0.25)]


def test_a_stage_within_a_stage_counts_in_both(clock: Clock) -> None:
    timer = StageTimer()
    with timer.stage("outer"):
        clock.now += 1.0
        with timer.stage("inner"):
            clock.now += 4.0
    assert list(timer.seconds.items()) == [("outer", 5.0), ("inner", 4.0)]


def test_counts_a_stage_that_fails(clock: Clock) -> None:
    timer = StageTimer()

    def fail() -> None:
        with timer.stage("failing"):
            clock.now += 3.0
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    assert timer.seconds == {"failing": 3.0}


def test_a_stage_waits_for_the_gpu_only_if_times_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[bool] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: waits.append(True))
    entered = []
    with NO_TIMES.stage("matching"):
        entered.append(True)
    assert (entered, waits, NO_TIMES.seconds) == ([True], [], {})
    with StageTimer().stage("matching"):
        assert len(waits) == 1
    assert len(waits) == 2
