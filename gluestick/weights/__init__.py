"""The model files that come with the package, and the check that they are intact.

``manifest.json`` records for each file where it comes from, its licence and its SHA-256.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class ShippedFile:
    """One model file of the package.

    Attributes:
        name: The file's name.
        sha256: The SHA-256 of its content, hexadecimal.
        licence: The SPDX identifier of its licence.
        origin: Where the weights come from.
        origin_sha256: The SHA-256 of the published file they were converted from, or None for
            weights that were trained here.
    """

    name: str
    sha256: str
    licence: str
    origin: str
    origin_sha256: str | None


@cache
def shipped_files() -> dict[str, ShippedFile]:
    """Return the record of every shipped file, by file name."""
    records = json.loads((_FOLDER / "manifest.json").read_text(encoding="utf-8"))
    return {name: ShippedFile(name=name, **record) for name, record in records.items()}


def shipped_path(name: str) -> Path:
    """Return the path of a shipped file after checking its SHA-256.

    Args:
        name: The file's name, one of :func:`shipped_files`.

    Raises:
        ValueError: If there is no such file, or its content is not what was shipped.
    """
    record = shipped_files().get(name)
    if record is None:
        raise ValueError(f"no shipped file {name!r}; there are {sorted(shipped_files())}")
    path = _FOLDER / name
    if not path.is_file():
        raise ValueError(f"the shipped file {name} is missing: reinstall gluestick-matching")
    if hashlib.sha256(path.read_bytes()).hexdigest() != record.sha256:
        raise ValueError(
            f"the shipped file {name} is damaged (its SHA-256 differs from the record): "
            "reinstall gluestick-matching"
        )
    return path
