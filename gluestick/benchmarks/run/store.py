"""Files with one entry per pair: predictions and results.

An entry ``/pairs/NAME`` holds the arrays of one pair, with ``/`` and ``%`` in its name written
as in web addresses. The attribute ``configuration`` of the entry ``/run`` holds, as JSON, what
the entries depend on.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import h5py
import numpy as np

from gluestick.storage.h5_session import H5Session, open_group

Configuration = Mapping[str, Any]
"""What entries depend on: JSON values by name."""

_RUN = "run"
_PAIRS = "pairs"
_SAFE = " +@#,()!=&'$:"


class PairWriter:
    """Adds entries to a file, made to be stopped at any time.

    Use it in a ``with`` block. What was added is put in place by :meth:`flush` and at the end,
    also after an error or an interrupt.

    Args:
        path: The HDF5 file. Missing folders are created.
        configuration: What the entries depend on.

    Raises:
        ValueError: On entering, if there is a file that cannot be read, or one whose entries
            depend on something else.
    """

    def __init__(self, path: Path, configuration: Configuration) -> None:
        self.path = path
        self._configuration = configuration
        self._session = H5Session(path)

    def __enter__(self) -> "PairWriter":
        if self.path.exists():
            check_configuration(self.path, self._configuration)
        self._session.__enter__()
        if not self._session.contains(_RUN):
            text = json.dumps(self._configuration, sort_keys=True)
            version = {"version": np.array(1)}
            self._session.replace(_RUN, version, attributes={"configuration": text})
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: Any) -> None:
        failed_to_write = isinstance(error, OSError)
        self._session.__exit__(*((kind, error, trace) if failed_to_write else (None, None, None)))

    def __contains__(self, name: str) -> bool:
        return self._session.contains(_entry(name))

    def add(self, name: str, arrays: Mapping[str, Any]) -> None:
        """Write the entry of one pair, in place of an earlier one.

        Args:
            name: The name of the pair.
            arrays: Arrays and numbers, by paths such as ``points/scores``.

        Raises:
            OSError: If the file cannot be written.
        """
        values = {key: np.asarray(value) for key, value in arrays.items()}
        try:
            self._session.replace(_entry(name), {"name": np.bytes_(name.encode())} | values)
        except BaseException:  # an interrupt in the middle must not leave half an entry
            self._session.remove(_entry(name))
            raise

    def flush(self) -> None:
        """Put everything that was added so far in place."""
        self._session.flush()


def read_configuration(path: Path) -> dict[str, Any]:
    """Return what the entries of a file depend on.

    Raises:
        ValueError: If there is no such file, it is damaged, or it is not one of these.
    """
    with open_group(path, _RUN) as group:
        text = group.attrs["configuration"]
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"{path} is damaged: its configuration is not JSON") from error


def check_configuration(path: Path, configuration: Configuration) -> None:
    """Check that the entries of a file depend on the same.

    Raises:
        ValueError: If the file cannot be read, or something differs; the message says what.
    """
    found = read_configuration(path)
    needed = json.loads(json.dumps(configuration))
    keys = [key for key in {**found, **needed} if found.get(key) != needed.get(key)]
    if keys:
        differences = "; ".join(
            f"{key} was {found.get(key)!r} and is now {needed.get(key)!r}" for key in keys
        )
        raise ValueError(
            f"{path} comes from another run ({differences}): choose another output folder, or "
            "remove the file"
        )


def read_names(path: Path) -> list[str]:
    """Return the names of the pairs in a file, in alphabetical order.

    Raises:
        ValueError: If there is no such file, or it is damaged.
    """
    with open_group(path, _RUN) as run:
        pairs = run.file.get(_PAIRS)
        return [] if pairs is None else sorted(unquote(key) for key in pairs)


def read_pair(path: Path, name: str) -> dict[str, np.ndarray]:
    """Return the arrays of one pair, by paths such as ``points/scores``.

    Raises:
        ValueError: If there is no such file or pair, or the file is damaged.
    """
    arrays: dict[str, np.ndarray] = {}

    def collect(key: str, value: Any) -> None:
        if isinstance(value, h5py.Dataset):
            arrays[key] = np.asarray(value[()])

    with open_group(path, _entry(name)) as group:
        group.visititems(collect)
    if arrays.pop("name", None) is None:
        raise ValueError(f"{path} is damaged: the entry of {name!r} has no name")
    return arrays


def _entry(name: str) -> str:
    return f"{_PAIRS}/{quote(name, safe=_SAFE)}"
