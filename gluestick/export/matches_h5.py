"""Matches of image pairs in hloc's match files.

The layout is that of hloc (``cvg/Hierarchical-Localization``, ``match_features.py``): one group
``NAME0/NAME1`` per pair, with ``/`` within a name replaced by ``-``, and in it

===========================  ======  ====================================================
``matches0``                 [P0]    int64, the index in image 1's ``keypoints``, or -1
``matching_scores0``         [P0]    float32 in [0, 1]
``line_matches0``            [L0]    int64, the index in image 1's ``lines``, or -1
``line_matching_scores0``    [L0]    float32 in [0, 1]
``junction_matches0``        [P0]    int64, only where junctions are reported apart
``junction_matching_scores0``  [P0]  float32
``line_pairs``               [R, 2]  int64, lines of image 0 and image 1 that may be parts of one
                                     line, only where the network judges pairs of lines
``line_pair_probabilities``  [R]     float32 in [0, 1]
``line_pair_overlaps``       [R]     float32 in [0, 1]
===========================  ======  ====================================================

and those whose names end in 0 also with suffix 1. Only the first two are hloc's, and its readers
pass over the others. Indices count all nodes of the wireframe, which is the order of
``keypoints`` in the feature files. The group's attributes ``name0`` and ``name1`` hold the names
as they are, and ``origin``, where the writer was told, what the matches come from, as JSON.
"""

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from gluestick.checks import check_shapes
from gluestick.export.arrays import Arrays, check_indices, matches_arrays
from gluestick.export.origins import ORIGIN, read_origin
from gluestick.storage.h5.files import MissingEntryError, numeric
from gluestick.storage.h5.reader import EntryFile, H5Reader
from gluestick.storage.h5.store import H5Store
from gluestick.types import Matches, Wireframe

_NEEDED = {"matches0": "P0", "matching_scores0": "P0"}
_OPTIONAL = {
    "matches1": "P1",
    "matching_scores1": "P1",
    "line_matches0": "L0",
    "line_matches1": "L1",
    "line_matching_scores0": "L0",
    "line_matching_scores1": "L1",
    "junction_matches0": "P0",
    "junction_matches1": "P1",
    "junction_matching_scores0": "P0",
    "junction_matching_scores1": "P1",
    "line_pairs": "R 2",
    "line_pair_probabilities": "R",
    "line_pair_overlaps": "R",
}


_INDICES = ("matches0", "matches1", "line_pairs")
"""How the names of datasets of integers end."""


class _MatchesFile(EntryFile):
    """What a reader and a writer tell of the pairs in a file."""

    path: str | os.PathLike[str]

    def __contains__(self, names: tuple[str, str]) -> bool:
        return any(self._entries.contains(_group_name(*pair)) for pair in (names, names[::-1]))

    def origin(self, name0: str, name1: str) -> dict[str, Any]:
        """Return what the matches of a pair, either way round, come from.

        Empty where the file does not say.
        """
        names = (name0, name1), (name1, name0)
        found = (read_origin(self._entries, _group_name(*pair)) for pair in names)
        return next(filter(None, found), {})

    def read(self, name0: str, name1: str) -> Arrays:
        """Read the matches of one pair; see :func:`read_matches_h5`."""
        try:
            return self._read(name0, name1)
        except MissingEntryError as missing:
            try:
                turned = self._read(name1, name0)
            except MissingEntryError:
                raise missing from None
        if "matches1" not in turned:
            raise ValueError(
                f"{self.path} holds only the matches from {name1!r} to {name0!r}: read them that "
                "way round"
            )
        return {_other_side(key): _turned(key, array) for key, array in turned.items()}

    def _read(self, name0: str, name1: str) -> Arrays:
        group = _group_name(name0, name1)
        with self._entries.entry(group, keys=(*_NEEDED, *_OPTIONAL)) as entry:
            arrays = {key: numeric(array, key) for key, array in entry.arrays.items()}
            _check(arrays)
        return arrays


class MatchesWriter(_MatchesFile):
    """Writes the matches of many pairs into one file, which costs what is added.

    Use it in a ``with`` block. An earlier file is extended, and a pair that is there already,
    also the other way round, is replaced. An error in the block leaves the file as it was
    after the last :meth:`flush`; a process that is killed leaves every pair that was added. See
    :class:`gluestick.storage.h5.store.H5Store`.

    Args:
        path: The HDF5 file. Missing folders are created.

    Raises:
        ValueError: On entering, if there is a file that is not HDF5, or another writer has it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path
        self._store = H5Store(path, keep_each=False)
        super().__init__(self._store)

    def add(
        self,
        name0: str,
        name1: str,
        wireframe0: Wireframe,
        wireframe1: Wireframe,
        matches: Matches,
        *,
        index: int | None = None,
        origin: Mapping[str, Any] | None = None,
    ) -> None:
        """Add one pair.

        Args:
            name0: The name of image 0, as in the feature file.
            name1: The name of image 1.
            wireframe0: The wireframe of image 0, as given to the matcher.
            wireframe1: The wireframe of image 1.
            matches: The matches between them.
            index: Which pair of the batch; may be left out for a batch of one.
            origin: What the matches come from, JSON values by name.

        Raises:
            ValueError: If the wireframes are not those that were matched, a match points at
                nothing, a name is empty, or another pair has the same name in the file
                (``a/b`` and ``a-b``).
            OSError: If the file cannot be written.
        """
        arrays = matches_arrays(wireframe0, wireframe1, matches, index=index)
        self.add_arrays(name0, name1, arrays, origin=origin)

    def add_arrays(
        self,
        name0: str,
        name1: str,
        arrays: Mapping[str, np.ndarray],
        *,
        origin: Mapping[str, Any] | None = None,
    ) -> None:
        """Add one pair from arrays, as :func:`read_matches_h5` returns them.

        Args:
            name0: The name of image 0, as in the feature file.
            name1: The name of image 1.
            arrays: The datasets listed at the top of this module; those with suffix 1, of
                the lines and of the junctions may be left out.
            origin: What the matches come from, JSON values by name.

        Raises:
            ValueError: As :meth:`add`.
            OSError: If the file cannot be written.
        """
        if not name0 or not name1:
            raise ValueError(f"both images need a name, found {name0!r} and {name1!r}")
        arrays = {key: np.asarray(array) for key, array in arrays.items()}
        _check(arrays)
        group = _group_name(name0, name1)
        earlier = self._store.attributes(group)
        names = (earlier.get("name0", name0), earlier.get("name1", name1))
        if names != (name0, name1):
            raise ValueError(
                f"the pairs {names} and {(name0, name1)} have the same name {group!r} in a match "
                "file: rename one of the images"
            )
        said = {} if origin is None else {ORIGIN: json.dumps(origin)}
        self._store.append(
            group,
            {
                key: arrays[key].astype(np.int64 if key.endswith(_INDICES) else np.float32)
                for key in (*_NEEDED, *_OPTIONAL)
                if key in arrays
            },
            attributes={"name0": name0, "name1": name1} | said,
            replaced=[_group_name(name1, name0)],
        )

    def flush(self) -> None:
        """Have what was added so far survive a later error in the block."""
        self._store.keep()


class MatchesReader(_MatchesFile):
    """Reads the matches of many pairs from one file, which is opened once.

    Use it in a ``with`` block. See :class:`gluestick.storage.h5.reader.H5Reader`.

    Args:
        path: The HDF5 file, of this package or of hloc.

    Raises:
        ValueError: On entering, if there is no such file, or it is not HDF5 or is damaged.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path
        super().__init__(H5Reader(path))


def write_matches_h5(
    path: str | os.PathLike[str],
    name0: str,
    name1: str,
    wireframe0: Wireframe,
    wireframe1: Wireframe,
    matches: Matches,
    *,
    index: int | None = None,
) -> None:
    """Write the matches of one pair; for many, :class:`MatchesWriter` is faster.

    Args:
        path: The HDF5 file, which is extended if it exists.
        name0: The name of image 0, as in the feature file.
        name1: The name of image 1.
        wireframe0: The wireframe of image 0, as given to the matcher.
        wireframe1: The wireframe of image 1.
        matches: The matches between them.
        index: Which pair of the batch; may be left out for a batch of one.

    Raises:
        ValueError: As :meth:`MatchesWriter.add`, or if there is a file that is not HDF5.
        OSError: If the file cannot be written; an earlier file is left as it was.
    """
    with MatchesWriter(path) as writer:
        writer.add(name0, name1, wireframe0, wireframe1, matches, index=index)


def read_matches_h5(path: str | os.PathLike[str], name0: str, name1: str) -> Arrays:
    """Read the matches of one pair, from this package or from hloc.

    For many, :class:`MatchesReader` is faster.

    Args:
        path: The HDF5 file.
        name0: The name of image 0.
        name1: The name of image 1.

    Returns:
        The datasets listed at the top of this module by name, int64 and float32. A pair that
        is stored the other way round is turned. What the file does not hold is left out.

    Raises:
        ValueError: If there is no such file or pair, the file is not HDF5 or is damaged,
            shapes do not fit together, or a pair of hloc is stored the other way round.
    """
    with MatchesReader(path) as reader:
        return reader.read(name0, name1)


def _group_name(name0: str, name1: str) -> str:
    return "/".join(name.replace("/", "-") for name in (name0, name1))


def _other_side(key: str) -> str:
    return key[:-1] + {"0": "1", "1": "0"}.get(key[-1], key[-1])


def _turned(key: str, array: np.ndarray) -> np.ndarray:
    """Return an array as it is for the images the other way round."""
    return np.ascontiguousarray(array[:, ::-1]) if key == "line_pairs" else array


def _check(arrays: Mapping[str, np.ndarray]) -> None:
    missing = [key for key in _NEEDED if key not in arrays]
    if missing:
        raise ValueError(f"matches need {' and '.join(missing)}, found {sorted(arrays)}")
    specs = _NEEDED | {key: spec for key, spec in _OPTIONAL.items() if key in arrays}
    sizes = check_shapes("matches", arrays, specs)
    unknown = np.iinfo(np.int64).max
    check_indices(
        arrays,
        num_nodes=(sizes["P0"], sizes.get("P1", unknown)),
        num_lines=(sizes.get("L0", unknown), sizes.get("L1", unknown)),
    )
