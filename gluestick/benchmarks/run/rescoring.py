"""Scores that were stored, where scoring would give the same again."""

import functools
import hashlib
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import fields, is_dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch

import gluestick
from gluestick.benchmarks.run.store import PairReader, PairWriter

DIGEST = "digest"
"""The name of an entry's digest in a file of results."""

_LIBRARIES = ("numpy", "scipy", "poselib", "opencv-contrib-python-headless", "pycolmap")


class KeptScores:
    """The entries of an earlier file of results, if there is one that can be read.

    Use it in a ``with`` block.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader: PairReader | None = None
        self._open = ExitStack()

    def __enter__(self) -> "KeptScores":
        with suppress(ValueError):
            self._reader = self._open.enter_context(PairReader(self._path))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def find(self, name: str, mark: bytes) -> dict[str, np.ndarray] | None:
        """Return the entry of a pair if it has this digest, else None."""
        with suppress(ValueError):
            return None if self._reader is None else matching_entry(self._reader, name, mark)
        return None


def matching_entry(
    file: PairReader | PairWriter, name: str, mark: bytes
) -> dict[str, np.ndarray] | None:
    """Return the entry of a pair if it has this digest, else None."""
    entry = file.read(name) if name in file else {}
    return entry if DIGEST in entry and entry[DIGEST].item() == mark else None


def digest(*values: Any) -> bytes:
    """Return 16 hexadecimal digits that change with what scores depend on.

    Args:
        values: The configuration, the pair, its prediction and the like: arrays, tensors,
            dataclasses, mappings, sequences, functions and whatever has a text.

    Returns:
        The digits. Values that have no lasting text never have the same twice, so that their
        pairs are scored again.
    """
    found = hashlib.sha256(code_digest())
    _update(found, values)
    return found.hexdigest()[:16].encode()


@functools.cache
def code_digest() -> bytes:
    """Return a digest of this package's code and of the versions of what it scores with."""
    found = hashlib.sha256()
    folder = Path(str(gluestick.__file__)).parent
    for path in sorted(folder.rglob("*.py")):
        found.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    for name in _LIBRARIES:
        try:
            found.update(f"{name} {version(name)};".encode())
        except PackageNotFoundError:
            continue
    return found.digest()


def _update(found: Any, value: Any) -> None:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        found.update(f"{value.dtype.str}{value.shape}".encode() + value.tobytes())
    elif isinstance(value, functools.partial):
        _update(found, (value.func, value.args, value.keywords))
    elif is_dataclass(value) and not isinstance(value, type):
        _update(found, {field.name: getattr(value, field.name) for field in fields(value)})
    elif isinstance(value, Mapping):
        _update(found, sorted(value.items()))
    elif isinstance(value, list | tuple):
        found.update(f"{len(value)}[".encode())
        for entry in value:
            _update(found, entry)
    elif callable(value) and hasattr(value, "__qualname__"):
        found.update(f"{value.__module__}.{value.__qualname__};".encode())
    else:
        found.update(f"{value!r};".encode())
