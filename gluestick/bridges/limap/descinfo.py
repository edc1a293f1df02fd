"""What LIMAP calls descinfo: all that is known of the lines of an image, as numpy arrays.

Its names are those of LIMAP's wireframe extractor. What our networks need besides has our names.
"""

import os
from collections.abc import Mapping, Sequence

import numpy as np

from gluestick.export.arrays import Arrays, wireframe_arrays, wireframe_from_arrays
from gluestick.geometry.pixels import centre_to_corner, corner_to_centre
from gluestick.storage.atomic import atomic_path
from gluestick.types import Wireframe

_NAMES = {
    "keypoints": "junctions",
    "scores": "junc_scores",
    "descriptors": "junc_desc",
    "line_junctions": "lines_junc_idx",
    "image_size": "image_shape",
}
"""LIMAP's names of our arrays, where they differ."""

_OF_LINES = ("lines", "line_scores", "lines_junc_idx", "side_colors")


def descinfo_from_wireframe(wireframe: Wireframe) -> Arrays:
    """Return the descinfo of an image.

    Args:
        wireframe: The wireframe of one image, a batch of one.

    Returns:
        ``image_shape`` [2] int64 (height, width) px; the nodes, line junctions first:
        ``junctions`` [P, 2] px, ``junc_scores`` [P], ``junc_desc`` [D, P]; ``lines`` [L, 2, 2] px
        as detected, ``line_scores`` [L], ``lines_junc_idx`` [L, 2] int64, the nodes at both ends.
        Positions have (0, 0) at the corner of the image. Besides ``num_junctions`` and what else
        :func:`gluestick.export.arrays.wireframe_arrays` gives.
    """
    arrays = wireframe_arrays(wireframe)
    for name in ("keypoints", "lines"):
        arrays[name] = centre_to_corner(arrays[name])
    arrays["image_size"] = arrays["image_size"][::-1].copy()
    return {_NAMES.get(name, name): array for name, array in arrays.items()}


def wireframe_from_descinfo(descinfo: Mapping[str, np.ndarray]) -> Wireframe:
    """Return the wireframe of an image, a batch of one on the CPU, from its descinfo.

    Raises:
        ValueError: If arrays are missing, as in those of LIMAP's own extractors.
    """
    ours = {theirs: name for name, theirs in _NAMES.items()}
    arrays = {ours.get(name, name): np.asarray(array) for name, array in descinfo.items()}
    for name in ("keypoints", "lines"):
        if name in arrays:
            arrays[name] = corner_to_centre(arrays[name])
    if "image_size" in arrays:
        arrays["image_size"] = arrays["image_size"][1::-1]
    return wireframe_from_arrays(arrays)


def with_lines(descinfo: Mapping[str, np.ndarray], indices: Sequence[int]) -> Arrays:
    """Return a descinfo with some of its lines; junctions keep their numbers."""
    chosen = np.asarray(indices, np.int64)
    return {name: array[chosen] if name in _OF_LINES else array for name, array in descinfo.items()}


def write_descinfo(path: str | os.PathLike[str], descinfo: Mapping[str, np.ndarray]) -> None:
    """Write a descinfo as a NumPy archive.

    Raises:
        ValueError: If the path is a folder or lies below a file.
        OSError: If it cannot be written.
    """
    with atomic_path(path) as temporary:
        np.savez(temporary, **dict(descinfo))  # type: ignore[arg-type]


def read_descinfo(path: str | os.PathLike[str]) -> Arrays:
    """Read what :func:`write_descinfo` has written.

    Raises:
        ValueError: If there is no such file, or it is no archive of plain arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return dict(archive)
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"{path} cannot be read as the descinfo of an image: {error}") from error
