"""Seconds per stage of a pipeline."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class StageTimer:
    """Adds up the wall-clock seconds spent in named stages.

    Attributes:
        seconds: The seconds per stage, in the order in which the stages began.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the body; work queued on a GPU counts to the stage that queued it."""
        _wait_for_gpu()
        start = time.perf_counter()
        self.seconds.setdefault(name, 0.0)
        try:
            yield
        finally:
            _wait_for_gpu()
            self.seconds[name] += time.perf_counter() - start


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
