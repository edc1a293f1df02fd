"""Workers of a Ray cluster: the processes of one machine, or of many that share the images."""

import socket
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from gluestick.export.arrays import Arrays, wireframe_from_arrays
from gluestick.export.folder_images import NamePair
from gluestick.export.workers.protocol import ReadFeatures
from gluestick.export.workers.steps import Failure, FolderSteps, usual_pairs_at_once

IMAGES_IN_STORE = 400
_TASKS_PER_PLACE = 3
_MAX_RETRIES = 5
_CONNECT_SECONDS = 5

Result = TypeVar("Result")


class RayWorkers:
    """Spreads images and pairs over a Ray cluster.

    Each task takes one CPU, and one GPU where the matcher is on one. Its process receives the
    matcher once. A task whose process or machine dies is done again elsewhere; results come in
    the order of the tasks, so that the same files are written whoever does them. Images are read
    where they are looked at, from the same path on all machines; features are sent.

    Args:
        address: Of a running cluster, ``auto`` for the one that this machine belongs to; None
            starts one of this machine's processes, which ends with this one.
        num_workers: How many tasks run at a time where the cluster is started; None for one per
            CPU.

    Raises:
        ImportError: If Ray is missing.
        ValueError: If there is no cluster at the address.
    """

    def __init__(self, address: str | None = None, *, num_workers: int | None = None) -> None:
        self._ray = _import_ray()
        if address is not None:
            _check_reachable(address)
        if not self._ray.is_initialized():
            started = {"num_cpus": num_workers} if address is None else {}
            try:
                self._ray.init(
                    address=address or "local",
                    include_dashboard=None if address else False,
                    log_to_driver=False,
                    configure_logging=False,
                    **started,
                )
            except (ConnectionError, RuntimeError, ValueError) as error:
                first = str(error).strip().partition("\n")[0]
                raise ValueError(f"there is no Ray cluster at {address!r}: {first}") from error

    def extract(
        self, steps: FolderSteps, images: Iterable[tuple[str, float]]
    ) -> Iterator[Arrays | Failure]:
        """Find the features of images; see :class:`gluestick.export.workers.protocol.Workers`."""
        tasks = ((name, turn) for name, turn in images)
        yield from self._run(_extract, steps, tasks)

    def match(
        self, steps: FolderSteps, pairs: Iterable[NamePair], features: ReadFeatures
    ) -> Iterator[Arrays]:
        """Match pairs of images; see :class:`gluestick.export.workers.protocol.Workers`."""
        sent: OrderedDict[str, Any] = OrderedDict()

        def reference(name: str) -> Any:
            if name in sent:
                sent.move_to_end(name)
            else:
                sent[name] = self._ray.put(features(name))
                if len(sent) > IMAGES_IN_STORE:
                    sent.popitem(last=False)
            return sent[name]

        tasks = (
            tuple(reference(name) for pair in batch for name in pair)
            for batch in _batches(pairs, usual_pairs_at_once(steps.matcher.device))
        )
        for found in self._run(_match, steps, tasks):
            yield from found

    def _run(
        self,
        function: Callable[..., Result],
        steps: FolderSteps,
        tasks: Iterable[tuple[Any, ...]],
    ) -> Iterator[Result]:
        """Run a function on the arguments of many tasks, only so many at a time."""
        on_gpu = steps.matcher.device.type == "cuda"
        held = [self._ray.put(steps)]  # in a list it is sent as it is, and fetched once a process
        remote = self._ray.remote(
            num_cpus=1, num_gpus=1 if on_gpu else 0, max_retries=_MAX_RETRIES
        )(function)
        resources = self._ray.cluster_resources()
        places = int(resources.get("GPU" if on_gpu else "CPU", 1))
        waiting: deque[Any] = deque()
        try:
            for arguments in tasks:
                waiting.append(remote.remote(held, *arguments))
                if len(waiting) >= max(places, 1) * _TASKS_PER_PLACE:
                    yield self._result(waiting.popleft())
            while waiting:
                yield self._result(waiting.popleft())
        finally:
            for task in waiting:
                self._ray.cancel(task)

    def _result(self, task: Any) -> Any:
        try:
            return self._ray.get(task)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except self._ray.exceptions.RayError as error:
            first = str(error).strip().partition("\n")[0]
            raise OSError(f"the Ray cluster could not do a task: {first}") from error


_received: dict[str, FolderSteps] = {}


def _steps(held: list[Any]) -> FolderSteps:
    """Return the steps, which each process fetches once."""
    key = held[0].hex()
    if key not in _received:
        import ray
        import torch

        torch.set_num_threads(1)
        _received.clear()
        _received[key] = ray.get(held[0])
    return _received[key]


def _extract(held: list[Any], name: str, turn: float) -> Arrays | Failure:
    steps = _steps(held)
    read = steps.read(name)
    return read if isinstance(read, Failure) else steps.extract(read, turn)


def _match(held: list[Any], *features: Arrays) -> list[Arrays]:
    wireframes = [wireframe_from_arrays(own) for own in features]
    return _steps(held).match(list(zip(wireframes[::2], wireframes[1::2], strict=True)))


def _batches(pairs: Iterable[NamePair], size: int) -> Iterator[list[NamePair]]:
    batch: list[NamePair] = []
    for pair in pairs:
        batch.append(pair)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _check_reachable(address: str) -> None:
    """Check that somebody listens at HOST:PORT, for which Ray itself waits minutes.

    Raises:
        ValueError: If nobody does.
    """
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ValueError(f"there is no Ray cluster at {address!r}: {error}") from error


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ImportError(
            'workers on a cluster need Ray: pip install "gluestick-matching[ray]"'
        ) from error
    return ray
