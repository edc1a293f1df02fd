import threading
import time
from concurrent.futures import Executor, Future

import cv2
import pytest
import torch

from gluestick.side_by_side import ahead, begin_ahead, run_side_by_side
from gluestick.timing import NO_TIMES, StageTimer


@pytest.fixture
def two_threads():
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(2)
    cv2.setNumThreads(2)
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


def where(_: StageTimer) -> tuple[int, int]:
    return threading.get_ident(), torch.get_num_threads()


def test_calls_take_no_more_threads_than_there_are(two_threads: None) -> None:
    meet = threading.Barrier(2, timeout=20)  # passed only by two at a time

    def call(_: StageTimer) -> tuple[int, int]:
        meet.wait()
        return where(NO_TIMES)

    found = run_side_by_side([call, call])
    assert len({thread for thread, _ in found}) == 2
    assert [threads for _, threads in found] == [1, 1]
    assert (torch.get_num_threads(), cv2.getNumThreads()) == (2, 2)


def test_no_thread_stays(two_threads: None) -> None:
    before = threading.active_count()
    assert run_side_by_side([lambda _, n=n: n for n in range(5)]) == [0, 1, 2, 3, 4]
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("threads", "number", "apart"), [(1, 2, True), (2, 1, True), (2, 2, False)]
)
def test_otherwise_one_after_the_other(
    two_threads: None, threads: int, number: int, apart: bool
) -> None:
    torch.set_num_threads(threads)
    found = run_side_by_side([where] * number, apart=apart)
    assert found == [(threading.get_ident(), threads)] * number


def test_the_first_failure_is_raised_and_threads_are_given_back(two_threads: None) -> None:
    ended = []

    def fail(_: StageTimer) -> None:
        raise ValueError("no image")

    def slow(_: StageTimer) -> None:
        time.sleep(0.05)
        ended.append(True)
        raise TypeError("later")

    with pytest.raises(ValueError, match="no image"):
        run_side_by_side([fail, slow])
    assert torch.get_num_threads() == 2
    assert len(ended) < 2


def test_modes_are_those_of_the_caller(two_threads: None) -> None:
    def modes(_: StageTimer) -> tuple[bool, bool]:
        return torch.is_grad_enabled(), torch.is_inference_mode_enabled()

    assert run_side_by_side([modes, modes]) == [(True, False)] * 2
    with torch.no_grad():
        assert run_side_by_side([modes, modes]) == [(False, False)] * 2
    with torch.inference_mode():
        assert run_side_by_side([modes, modes]) == [(False, True)] * 2


def test_stages_add_up_to_what_passes(two_threads: None) -> None:
    def call(timer: StageTimer) -> None:
        with timer.stage("long"):
            time.sleep(0.06)
        with timer.stage("short"):
            time.sleep(0.02)

    timer, start = StageTimer(), time.perf_counter()
    run_side_by_side([call, call], timer=timer)
    passed = time.perf_counter() - start
    assert list(timer.seconds) == ["long", "short"]
    assert sum(timer.seconds.values()) == pytest.approx(passed, abs=0.02)
    assert timer.seconds["long"] > 2 * timer.seconds["short"]


def test_only_so_many_are_drawn_ahead() -> None:
    drawn = []
    items = (drawn.append(item) or item for item in range(5))
    seen = [(item, len(drawn)) for item in ahead(items, 2)]
    assert seen == [(0, 3), (1, 4), (2, 5), (3, 5), (4, 5)]
    assert list(ahead([], 2)) == []


def test_items_are_begun_while_others_are_worked_on(two_threads: None) -> None:
    def begin(item: int, threads: Executor) -> Future[int]:
        return threads.submit(lambda: item**2)

    before = threading.active_count()
    results = begin_ahead(range(4), begin)
    assert next(results).result() == 0
    results.close()
    assert threading.active_count() == before
    assert [each.result() for each in begin_ahead(range(4), begin)] == [0, 1, 4, 9]
