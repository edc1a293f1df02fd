"""Calls that run side by side on several processors."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import cv2
import torch

from gluestick.timing import NO_TIMES, StageTimer

Result = TypeVar("Result")
Call = Callable[[StageTimer], Result]

_AT_ONCE = 2


def run_side_by_side(
    calls: Sequence[Call[Result]], *, timer: StageTimer = NO_TIMES, apart: bool = True
) -> list[Result]:
    """Run calls two at a time, each on half of the threads that torch and OpenCV may use.

    Results are those of the calls one after the other on as many threads as each gets. Gradients
    and inference mode are on or off in the calls as they are in the caller. The numbers of threads
    belong to the process, so a thread that uses torch for the first time meanwhile starts with
    half of them.

    Args:
        calls: What to run; each is given a timer of its own.
        timer: Where the seconds that pass are added up, shared out among the stages of the calls.
        apart: Whether they may run side by side. They do if there are at least two, and two
            threads; otherwise one runs after the other in the calling thread.

    Returns:
        What the calls return, in their order.

    Raises:
        Exception: What the first call that fails raises, once all that were begun have ended.
    """
    threads = torch.get_num_threads()
    if not apart or threads < _AT_ONCE or len(calls) < _AT_ONCE:
        return [call(timer) for call in calls]
    with (
        _threads_each(threads // _AT_ONCE) as take_share,
        timer.shared_out(len(calls)) as timers,
        ThreadPoolExecutor(_AT_ONCE, initializer=take_share) as workers,
    ):
        modes = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        running = [
            workers.submit(_in_modes, modes, call, own)
            for call, own in zip(calls, timers, strict=True)
        ]
        try:
            return [each.result() for each in running]
        finally:
            workers.shutdown(cancel_futures=True)


@contextmanager
def _threads_each(number: int) -> Iterator[Callable[[], None]]:
    """Give this thread, and those that call the function, so many threads; then all again."""
    before, of_opencv = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(number)
    cv2.setNumThreads(max(of_opencv // _AT_ONCE, 1))
    try:
        yield lambda: torch.set_num_threads(number)
    finally:
        torch.set_num_threads(before)
        cv2.setNumThreads(of_opencv)


def _in_modes(modes: tuple[bool, bool], call: Call[Result], timer: StageTimer) -> Result:
    gradients, inference = modes
    with torch.inference_mode(inference), torch.set_grad_enabled(gradients):
        return call(timer)
