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


class _NoTimes(StageTimer):
    """Takes no times, and waits for nothing."""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Run the body."""
        yield


NO_TIMES: StageTimer = _NoTimes()
"""For pipelines whose caller asked for no times."""


def _wait_for_gpu() -> None:
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.synchronize()
    elif torch.backends.mps.is_available():
        torch.mps.synchronize()
