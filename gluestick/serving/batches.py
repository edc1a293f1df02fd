"""Work that arrives one by one is done in batches."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


class BusyError(RuntimeError):
    """As much work as may wait is waiting already."""


class Batcher(Generic[Task, Result]):
    """Does what arrives together in one call, in a thread of its own.

    A batch that fails is done again one by one, so that nobody suffers from the others.

    Args:
        work: Does several tasks, and returns as many results.
        max_batch: How many tasks a batch has at most.
        max_wait: How long the first task of a batch waits for others, s.
        max_waiting: How many tasks may wait.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Task]], Sequence[Result]],
        *,
        max_batch: int,
        max_wait: float,
        max_waiting: int,
    ) -> None:
        self._work, self._max_batch, self._max_wait = work, max_batch, max_wait
        self._tasks: queue.Queue[tuple[Task, Future[Result]] | None] = queue.Queue(max_waiting)
        self._thread = threading.Thread(target=self._run, name="batches", daemon=True)
        self._thread.start()

    @property
    def num_waiting(self) -> int:
        """About how many tasks wait."""
        return self._tasks.qsize()

    def submit(self, task: Task) -> "Future[Result]":
        """Let a task wait for its batch.

        Returns:
            Its result to come; it can be cancelled until its batch begins.

        Raises:
            BusyError: If too many wait.
        """
        future: Future[Result] = Future()
        try:
            self._tasks.put_nowait((task, future))
        except queue.Full as error:
            raise BusyError(f"{self._tasks.maxsize} are waiting already") from error
        return future

    def close(self) -> None:
        """Do what waits, and stop."""
        self._tasks.put(None)
        self._thread.join()

    def _run(self) -> None:
        closed = False
        while not closed:
            batch, closed = self._next_batch()
            batch = [entry for entry in batch if entry[1].set_running_or_notify_cancel()]
            if batch:
                self._do(batch)

    def _next_batch(self) -> "tuple[list[tuple[Task, Future[Result]]], bool]":
        """Return the tasks that arrive together, and whether no others come."""
        batch: list[tuple[Task, Future[Result]]] = []
        until = float("inf")
        while len(batch) < self._max_batch:
            try:
                timeout = None if not batch else max(until - time.monotonic(), 0)
                entry = self._tasks.get(timeout=timeout)
            except queue.Empty:
                break
            if entry is None:
                return batch, True
            if not batch:
                until = time.monotonic() + self._max_wait
            batch.append(entry)
        return batch, False

    def _do(self, batch: "list[tuple[Task, Future[Result]]]") -> None:
        try:
            results = self._work([task for task, _ in batch])
        except Exception as error:
            if len(batch) == 1:
                batch[0][1].set_exception(error)
                return
            for entry in batch:
                self._do([entry])
            return
        for (_, future), result in zip(batch, results, strict=True):
            future.set_result(result)
