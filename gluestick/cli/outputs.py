"""Whether results can be written is known before anything is computed."""

import os
from collections.abc import Iterable
from pathlib import Path


def check_output(folder: Path, names: Iterable[str], *, option: str = "--output") -> None:
    """Check that files can be written to a folder, without creating it.

    Args:
        folder: The folder.
        names: The names of the files.
        option: What named the folder, for messages.

    Raises:
        ValueError: If the folder is a file or lies below one, must not be written to, or a
            folder is where a file is to be.
    """
    existing = folder
    while not os.path.lexists(existing) and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        raise ValueError(f"{option} {folder} needs a folder, and {existing} is not one")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise ValueError(f"{option} {folder} cannot be written to: {existing} is not yours")
    for name in names:
        if (folder / name).is_dir():
            raise ValueError(f"{option} {folder / name} is a folder where a file is to be")
