"""Whole models of COLMAP, text or binary, as pycolmap reads them."""

from pathlib import Path
from typing import Any

_FOLDERS = (".", "sparse/0", "sparse", "model")


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


def find_colmap_model(folder: Path) -> Path | None:
    """Return the folder of the model in a data folder: itself, sparse/0, sparse or model."""
    for name in _FOLDERS:
        if any((folder / name / f"images.{suffix}").is_file() for suffix in ("bin", "txt")):
            return folder / name
    return None


def read_colmap_model(model: Path) -> Any:
    """Read a model.

    Returns:
        The ``pycolmap.Reconstruction``.

    Raises:
        ValueError: If it is damaged.
        ImportError: If pycolmap is missing.
    """
    pycolmap = import_pycolmap("reading a COLMAP model")
    try:
        return pycolmap.Reconstruction(str(model))
    except Exception as error:
        raise ValueError(f"the COLMAP model in {model} cannot be read: {error}") from error
