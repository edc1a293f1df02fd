"""Workers that are this process: one image or pair after the other, batches on a GPU."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import lru_cache, partial
from itertools import islice

from gluestick.export.arrays import Arrays, wireframe_from_arrays
from gluestick.export.folder_images import NamePair
from gluestick.export.workers.protocol import ReadFeatures
from gluestick.export.workers.steps import (
    Failure,
    FolderSteps,
    ReadImage,
    usual_pairs_at_once,
)
from gluestick.side_by_side import ahead, begin_ahead
from gluestick.types import Wireframe

IMAGES_IN_MEMORY = 200
_READ_AHEAD = 1


class LocalWorkers:
    """Reads the next image while one is looked at, and matches pairs of a GPU in batches.

    On an accelerator lines of the next images are found meanwhile; features are the same to the
    bit.

    Args:
        pairs_at_once: How many pairs are matched at once; None for 16 on a GPU, or fewer where
            they might take more than half of its free memory, and 1 elsewhere.
    """

    def __init__(self, *, pairs_at_once: int | None = None) -> None:
        self._pairs_at_once = pairs_at_once

    def extract(
        self, steps: FolderSteps, images: Iterable[tuple[str, float]]
    ) -> Iterator[Arrays | Failure]:
        """Find the features of images; see :class:`gluestick.export.workers.protocol.Workers`."""
        extractor = steps.matcher.extractor
        with ThreadPoolExecutor(1) as pool:
            reading = ((pool.submit(steps.read, name), turn) for name, turn in images)
            read = ((future.result(), turn) for future, turn in ahead(reading, _READ_AHEAD))
            if extractor is not None and extractor.accelerated:
                for end in begin_ahead(read, partial(_begin, steps)):
                    yield end()
            else:
                for image, turn in read:
                    yield image if isinstance(image, Failure) else steps.extract(image, turn)

    def match(
        self, steps: FolderSteps, pairs: Iterable[NamePair], features: ReadFeatures
    ) -> Iterator[Arrays]:
        """Match pairs of images; see :class:`gluestick.export.workers.protocol.Workers`."""
        device = steps.matcher.device

        @lru_cache(maxsize=IMAGES_IN_MEMORY)
        def wireframe(name: str) -> Wireframe:
            return wireframe_from_arrays(features(name)).to(device)

        pairs = iter(pairs)
        number = self._pairs_at_once or usual_pairs_at_once(device)
        while batch := list(islice(pairs, number)):
            named = [(wireframe(name0), wireframe(name1)) for name0, name1 in batch]
            yield from steps.match(named, at_once=self._pairs_at_once)


def _begin(
    steps: FolderSteps, read: tuple[ReadImage | Failure, float], threads: Executor
) -> Callable[[], Arrays | Failure]:
    image, turn = read
    if isinstance(image, Failure):
        return lambda: image
    return steps.begin(image, turn, threads)
