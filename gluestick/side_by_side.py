"""Calls that run side by side on several processors."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import cv2
import torch

from gluestick.timing import NO_TIMES, StageTimer

Result = TypeVar("Result")
Call = Callable[[StageTimer], Result]

Item = TypeVar("Item")

_AT_ONCE = 2

_MOST_AHEAD = 8
"""More items are not begun ahead, however many threads there are: each holds memory."""


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


def ahead(items: Iterable[Item], number: int) -> Iterator[Item]:
    """Draw items before they are asked for, so that what drawing them began goes on meanwhile.

    Args:
        items: Where they are drawn from, in the calling thread.
        number: How many are drawn beyond the one that was asked for.

    Yields:
        The items in their order.
    """
    drawn: deque[Item] = deque()
    for item in items:
        drawn.append(item)
        if len(drawn) > number:
            yield drawn.popleft()
    while drawn:
        yield drawn.popleft()


def begin_ahead(
    items: Iterable[Item], begin: Callable[[Item, Executor], Result]
) -> Iterator[Result]:
    """Begin items while those before them are worked on.

    There are as many threads as torch may use, at most 8, and as many items are begun ahead.

    Args:
        items: What is to be begun.
        begin: Called in the calling thread for one item after the other; hands threads what they
            can do of it and returns what ends it.

    Yields:
        What ``begin`` returns, in the order of the items.
    """
    number = min(_MOST_AHEAD, torch.get_num_threads())
    with ThreadPoolExecutor(number) as threads:
        try:
            yield from ahead((begin(item, threads) for item in items), number)
        finally:
            threads.shutdown(cancel_futures=True)


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
