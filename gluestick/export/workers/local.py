"""Workers that are this process: one image or pair after the other, batches on a GPU."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from itertools import islice

from gluestick.export.arrays import Arrays, wireframe_from_arrays
from gluestick.export.folder_images import NamePair
from gluestick.export.workers.protocol import ReadFeatures
from gluestick.export.workers.steps import PAIRS_ON_GPU, Failure, FolderSteps, ReadImage
from gluestick.types import Wireframe

IMAGES_IN_MEMORY = 200
_READ_AHEAD = 2


class LocalWorkers:
    """Reads the next images while one is looked at, and matches pairs of a GPU in batches."""

    def extract(
        self, steps: FolderSteps, images: Iterable[tuple[str, float]]
    ) -> Iterator[Arrays | Failure]:
        """Find the features of images; see :class:`gluestick.export.workers.protocol.Workers`."""
        waiting: deque[tuple[Future[ReadImage | Failure], float]] = deque()
        images = iter(images)
        with ThreadPoolExecutor(1) as pool:
            while True:
                for name, turn in islice(images, _READ_AHEAD - len(waiting)):
                    waiting.append((pool.submit(steps.read, name), turn))
                if not waiting:
                    return
                reading, turn = waiting.popleft()
                read = reading.result()
                yield read if isinstance(read, Failure) else steps.extract(read, turn)

    def match(
        self, steps: FolderSteps, pairs: Iterable[NamePair], features: ReadFeatures
    ) -> Iterator[Arrays]:
        """Match pairs of images; see :class:`gluestick.export.workers.protocol.Workers`."""
        device = steps.matcher.device

        @lru_cache(maxsize=IMAGES_IN_MEMORY)
        def wireframe(name: str) -> Wireframe:
            return wireframe_from_arrays(features(name)).to(device)

        pairs = iter(pairs)
        while batch := list(islice(pairs, PAIRS_ON_GPU if device.type == "cuda" else 1)):
            yield from steps.match([(wireframe(name0), wireframe(name1)) for name0, name1 in batch])
