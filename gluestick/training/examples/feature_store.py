"""Pairs with their features on disk, extracted once and trained on many times."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from gluestick.storage.h5.reader import H5Reader
from gluestick.storage.h5.store import H5Store
from gluestick.storage.journal import LockedError
from gluestick.training.examples.pair_features import PairFeatures
from gluestick.training.examples.pairs import PAIR_KINDS, PairKind

_LAYOUT = 1
"""Counts up whenever the same options give other entries."""

_MOST_WRITERS = 1000


class FeatureStore:
    """A folder of HDF5 files, one for each process that fills it at the same time.

    An entry is one pair; it is there or it is not, whenever the process that writes it is
    killed. The entries of all files count.

    Args:
        folder: Where the files are.
        origin: What the entries depend on, as JSON values by name.

    Raises:
        ValueError: If a file holds entries of another origin, or cannot be read.
    """

    def __init__(self, folder: Path, origin: Mapping[str, Any]) -> None:
        self.folder = folder
        self.origin = json.loads(json.dumps({**origin, "layout": _LAYOUT}))
        self._readers: dict[Path, H5Reader] = {}
        self._places: dict[int, tuple[Path, PairKind]] = {}
        self.refresh()

    def refresh(self) -> None:
        """Look for entries again."""
        self._places = {}
        for path in sorted(self.folder.glob("part-*.h5")):
            with H5Reader(path) as reader:
                if reader.configuration() != self.origin:
                    raise ValueError(
                        f"the cache {self.folder} was made with other options, photographs or "
                        "weights, or by another version: name another folder, or remove it"
                    )
                for kind in PAIR_KINDS:
                    for name in reader.children(kind):
                        self._places[int(name)] = path, kind

    def numbers(self, kind: PairKind | None = None) -> list[int]:
        """Return the numbers of the pairs, of one kind or of all, in rising order."""
        return sorted(
            number for number, (_, own) in self._places.items() if kind is None or own == kind
        )

    def read(self, number: int) -> PairFeatures:
        """Return a pair.

        Raises:
            ValueError: If there is none of this number, or it cannot be read.
        """
        if number not in self._places:
            raise ValueError(f"the cache {self.folder} has no pair {number}: extract it first")
        path, kind = self._places[number]
        reader = self._readers.setdefault(path, H5Reader(path))
        with reader.entry(entry_name(kind, number)) as entry:
            return PairFeatures.from_arrays(kind, entry.arrays)

    @contextmanager
    def writing(self) -> Iterator[H5Store]:
        """Open a file that no other process writes, to append pairs to.

        Yields:
            The file.

        Raises:
            ValueError: If too many processes write.
        """
        with ExitStack() as stack:
            for part in range(_MOST_WRITERS):
                store = H5Store(self.folder / f"part-{part:03d}.h5", configuration=self.origin)
                with suppress(LockedError):
                    stack.enter_context(store)
                    break
            else:
                raise ValueError(f"{self.folder} is written by too many processes: end some")
            yield store
        self.refresh()


def entry_name(kind: PairKind, number: int) -> str:
    """Return the name of a pair in its file."""
    return f"{kind}/{number:08d}"
