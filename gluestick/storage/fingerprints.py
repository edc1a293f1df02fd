"""Short texts that change with what decides a result: weights, options, files, arrays."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

_DIGITS = 16
_CHUNK = 1 << 20  # bytes


def fingerprint(matcher: Any) -> str:
    """Return 16 hexadecimal digits that change with a matcher's weights and options.

    Options are the public attributes of the matcher and of its modules that are dataclasses,
    texts, numbers or None.
    """
    digest = hashlib.sha256(type(matcher).__qualname__.encode())
    modules = list(matcher.modules()) if isinstance(matcher, nn.Module) else [matcher]
    for module in modules:
        for name, value in sorted(vars(module).items()):
            is_option = is_dataclass(value) or isinstance(value, str | int | float | None)
            if is_option and not name.startswith("_") and name != "training":
                digest.update(f"{name}={_canonical(value)!r};".encode())
    for part in _parameters(matcher):
        digest.update(part)
    return digest.hexdigest()[:_DIGITS]


def weights_fingerprint(module: Any) -> str:
    """Return 16 hexadecimal digits that change with the class and the weights of a module.

    Args:
        module: A module, or anything else, which has no weights.
    """
    digest = hashlib.sha256(type(module).__qualname__.encode())
    for part in _parameters(module):
        digest.update(part)
    return digest.hexdigest()[:_DIGITS]


def file_fingerprint(path: str | PathLike[str]) -> str:
    """Return 16 hexadecimal digits that change with the content of a file.

    Raises:
        OSError: If it cannot be read.
    """
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()[:_DIGITS]


def text_fingerprint(text: str) -> str:
    """Return 16 hexadecimal digits that change with a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def arrays_fingerprint(arrays: Mapping[str, np.ndarray]) -> str:
    """Return 16 hexadecimal digits that change with the names, types, shapes and values."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name}:{array.dtype.str}{array.shape};".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:_DIGITS]


def _parameters(module: Any) -> Iterable[bytes]:
    if not isinstance(module, nn.Module):
        return
    for name, tensor in sorted(module.state_dict().items()):
        yield name.encode()
        yield tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def _canonical(value: Any) -> Any:
    """Return an option such that equal ones, such as -1 and -1.0, have the same text."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _canonical(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, list | tuple):
        return [_canonical(entry) for entry in value]
    return float(value) if isinstance(value, int | float) else value
