import threading
from collections.abc import Sequence

import pytest

from gluestick.serving.batches import Batcher, BusyError


def test_what_arrives_together_is_one_batch() -> None:
    sizes: list[int] = []

    def double(tasks: Sequence[int]) -> list[int]:
        sizes.append(len(tasks))
        return [2 * task for task in tasks]

    batcher = Batcher(double, max_batch=3, max_wait=5.0, max_waiting=10)
    futures = [batcher.submit(number) for number in range(6)]
    assert [future.result(timeout=10) for future in futures] == [0, 2, 4, 6, 8, 10]
    assert sizes == [3, 3]
    batcher.close()


def test_one_failure_does_not_touch_the_others() -> None:
    def invert(tasks: Sequence[int]) -> list[float]:
        return [1 / task for task in tasks]

    batcher = Batcher(invert, max_batch=3, max_wait=5.0, max_waiting=10)
    futures = [batcher.submit(number) for number in (1, 0, 4)]
    assert futures[0].result(timeout=10) == 1
    assert futures[2].result(timeout=10) == 0.25
    with pytest.raises(ZeroDivisionError):
        futures[1].result(timeout=10)
    batcher.close()


def test_no_more_wait_than_allowed_and_cancelled_ones_are_left_out() -> None:
    begun, go = threading.Event(), threading.Event()
    seen: list[int] = []

    def wait(tasks: Sequence[int]) -> Sequence[int]:
        begun.set()
        go.wait(10)
        seen.extend(tasks)
        return tasks

    batcher = Batcher(wait, max_batch=1, max_wait=0.01, max_waiting=2)
    first = batcher.submit(0)
    assert begun.wait(10)
    second, third = batcher.submit(1), batcher.submit(2)
    with pytest.raises(BusyError):
        batcher.submit(3)
    assert second.cancel()
    go.set()
    assert (first.result(timeout=10), third.result(timeout=10)) == (0, 2)
    batcher.close()
    assert seen == [0, 2]
