"""Seconds per stage of a pipeline."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch


class StageTimer:
    """Adds up the seconds spent in named stages.

    Args:
        clock: Tells the seconds, such as ``time.process_time``; the wall clock if left out.

    Attributes:
        seconds: The seconds per stage, in the order in which the stages began.
    """

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self.seconds: dict[str, float] = {}
        self._clock = clock or time.perf_counter

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the body; work queued on a GPU counts to the stage that queued it."""
        _wait_for_gpu()
        start = self._clock()
        self.seconds.setdefault(name, 0.0)
        try:
            yield
        finally:
            _wait_for_gpu()
            self.seconds[name] += self._clock() - start

    @contextmanager
    def shared_out(self, number: int) -> Iterator[list["StageTimer"]]:
        """Time calls that run side by side, each with a timer of its own.

        The seconds that pass are shared out among the stages as the timers of the calls say, so
        that the stages add up to what passes.

        Args:
            number: How many calls.
        """
        timers = [StageTimer(self._clock) for _ in range(number)]
        start = self._clock()
        try:
            yield timers
        finally:
            passed = self._clock() - start
            found = [part for timer in timers for part in timer.seconds.items()]
            total = sum(seconds for _, seconds in found)
            for name, seconds in found:
                share = seconds / total if total > 0 else 0.0
                self.seconds[name] = self.seconds.get(name, 0.0) + passed * share


class _NoTimes(StageTimer):
    """Takes no times, and waits for nothing."""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Run the body."""
        yield

    @contextmanager
    def shared_out(self, number: int) -> Iterator[list[StageTimer]]:
        """Give each call this timer."""
        yield [self] * number


NO_TIMES: StageTimer = _NoTimes()
"""For pipelines whose caller asked for no times."""


def _wait_for_gpu() -> None:
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.synchronize()
    elif torch.backends.mps.is_available():
        torch.mps.synchronize()
