"""COLMAP's models on disk, text or binary, read by pycolmap."""

from pathlib import Path
from typing import Any

MODEL_FOLDERS = (".", "sparse/0", "sparse", "model")
"""Where a model lies in the folder of a scene."""


def import_pycolmap(purpose: str) -> Any:
    """Return the module pycolmap.

    Pillow comes first: where pycolmap's own zlib is loaded before it, writing a PNG aborts the
    process (pycolmap 4.2.1 on Linux).

    Args:
        purpose: What needs it, for the message.

    Raises:
        ImportError: If it is not installed.
    """
    from PIL import Image

    Image.preinit()
    try:
        import pycolmap
    except ImportError as error:
        raise ImportError(
            f"{purpose} needs pycolmap: pip install 'gluestick-matching[sfm]'"
        ) from error
    return pycolmap


def find_model(folder: Path) -> Path | None:
    """Return the folder in which the model of a scene lies, or None without one."""
    for name in MODEL_FOLDERS:
        if any((folder / name / f"images.{suffix}").is_file() for suffix in ("bin", "txt")):
            return folder / name
    return None


def read_model(model: Path) -> Any:
    """Read a model.

    Args:
        model: The folder of its files.

    Returns:
        A ``pycolmap.Reconstruction``.

    Raises:
        ValueError: If a file is missing or damaged.
        ImportError: If pycolmap is missing.
    """
    pycolmap = import_pycolmap("reading a COLMAP model")
    try:
        return pycolmap.Reconstruction(str(model))
    except Exception as error:
        raise ValueError(f"the COLMAP model in {model} cannot be read: {error}") from error
