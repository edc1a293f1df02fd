"""Depth maps of floating-point numbers: NumPy's, MegaDepth's and COLMAP's."""

from pathlib import Path

import numpy as np

SUFFIXES = (".npy", ".h5", ".bin")
_HEADER = 3
"""How many numbers COLMAP writes before the values, each with ``&`` behind it."""


def read_depth_array(path: Path) -> np.ndarray:
    """Read a depth map in the unit of the poses.

    Args:
        path: ``.npy``, an array [H, W]; ``.h5``, HDF5 with such an array as ``depth`` (as
            MegaDepth, arXiv 1804.00607); or ``.bin``, a dense map of COLMAP.

    Returns:
        [H, W] float32, 0 where unknown.

    Raises:
        ValueError: If the file is missing or not such a map.
    """
    if not path.is_file():
        raise ValueError(f"there is no depth map {path}")
    try:
        values = _READERS[path.suffix](path)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"the depth map {path} cannot be read: {error}") from error
    if values.ndim != 2 or values.dtype.kind != "f":
        raise ValueError(
            f"the depth map {path} needs floating-point numbers [H, W], found {values.dtype} "
            f"{list(values.shape)}"
        )
    return np.where(np.isfinite(values) & (values > 0), values, 0).astype(np.float32)


def _read_npy(path: Path) -> np.ndarray:
    return np.load(path, allow_pickle=False)


def _read_h5(path: Path) -> np.ndarray:
    import h5py

    with h5py.File(path, "r") as file:
        return np.asarray(file["depth"])


def _read_colmap(path: Path) -> np.ndarray:
    """Read ``WIDTH&HEIGHT&1&`` and then float32 values, row by row."""
    *header, values = path.read_bytes().split(b"&", _HEADER)
    if len(header) != _HEADER:
        raise ValueError("it needs to begin with WIDTH&HEIGHT&CHANNELS&")
    width, height, channels = map(int, header)
    if channels != 1:
        raise ValueError(f"it needs one channel, found {channels}")
    return np.frombuffer(values, dtype="<f4").reshape(height, width)


_READERS = {".npy": _read_npy, ".h5": _read_h5, ".bin": _read_colmap}
