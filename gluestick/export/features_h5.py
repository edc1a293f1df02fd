"""Keypoints and lines of images in hloc's feature files.

The layout is that of hloc (``cvg/Hierarchical-Localization``, ``extract_features.py``): one
group per image name, and in it

==================  ============  =====================================================
``keypoints``       [P, 2]        float32 px, all nodes of the wireframe, junctions first, so
                                  that indices agree with the match files; the attribute
                                  ``uncertainty`` is the detection noise in px
``scores``          [P]           float32
``descriptors``     [D, P]        float32, columns of unit norm
``image_size``      [2]           int64, (width, height) px
``lines``           [L, 2, 2]     float32 px, the two endpoints as detected
``line_scores``     [L]           float32
``line_junctions``  [L, 2]        int64, the nodes in ``keypoints`` at both endpoints
``side_colors``     [L, 2, C]     float32, what lies on both sides of the lines; only for models
                                  that look at it
==================  ============  =====================================================

The group's attribute ``num_junctions`` says how many of the first nodes are junctions;
``num_view_keypoints`` and ``num_view_lines``, where they are there, how many of the last nodes and
of the last lines were found in further views (see :mod:`gluestick.export.views.folder`). Where the
image was seen in a view, turned for instance, the attributes ``view`` [2, 3] float64, the map from
px of the image to px of the view, and ``view_size`` [2] int64, (width, height) px, say in which;
of a homography ``view`` holds the first two rows and ``view_perspective`` [3] float64 the last.
Where an image was resized before features were found, ``resize_scale`` [] float64 is the factor.
Where the writer was told, the attribute ``origin`` says what the features come from, as JSON.
The lines' datasets and these attributes are additions, which programs made for hloc pass over.
Coordinates are hloc's and ours: px of the original image, the centre of the top-left pixel is
(0, 0). Importers for COLMAP add 0.5.
"""

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from gluestick.checks import check_shapes
from gluestick.export.arrays import Arrays, wireframe_arrays
from gluestick.export.origins import ORIGIN, read_origin
from gluestick.storage.h5.files import numeric
from gluestick.storage.h5.reader import EntryFile, H5Reader
from gluestick.storage.h5.store import H5Store
from gluestick.types import Wireframe

_NEEDED = {"image_size": "2", "keypoints": "P 2"}
_OPTIONAL = {
    "scores": "P",
    "descriptors": "D P",
    "lines": "L 2 2",
    "line_scores": "L",
    "line_junctions": "L 2",
    "side_colors": "L 2 C",
}
_ATTRIBUTES = {
    "num_junctions": np.int64,
    "num_view_keypoints": np.int64,
    "num_view_lines": np.int64,
    "view": np.float64,
    "view_size": np.int64,
    "view_perspective": np.float64,
    "resize_scale": np.float64,
}
_VIEW = {"view": "2 3", "view_size": "2", "view_perspective": "3"}


class _FeaturesFile(EntryFile):
    """What a reader and a writer tell of the images in a file."""

    def __contains__(self, name: str) -> bool:
        return self._entries.contains(name)

    def names(self) -> list[str]:
        """Return the names of the images, in alphabetical order."""
        return self._entries.names()

    def read(self, name: str) -> Arrays:
        """Read the features of one image; see :func:`read_features_h5`."""
        return _read(self._entries, name)

    def origin(self, name: str) -> dict[str, Any]:
        """Return what the features of an image come from, empty where the file does not say."""
        return read_origin(self._entries, name)


class FeaturesReader(_FeaturesFile):
    """Reads the features of many images from one file, which is opened once.

    Use it in a ``with`` block. See :class:`gluestick.storage.h5.reader.H5Reader`.

    Args:
        path: The HDF5 file, of this package or of hloc.

    Raises:
        ValueError: On entering, if there is no such file, or it is not HDF5 or is damaged.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(H5Reader(path))


class FeaturesWriter(_FeaturesFile):
    """Writes the features of many images into one file, which costs what is added.

    Use it in a ``with`` block. An earlier file is extended, and images of the same name are
    replaced. An error in the block leaves the file as it was after the last :meth:`flush`; a
    process that is killed leaves every image that was added. See
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
        name: str,
        features: Wireframe | Mapping[str, np.ndarray],
        *,
        index: int | None = None,
        uncertainty: float = 1.0,
        origin: Mapping[str, Any] | None = None,
    ) -> None:
        """Add one image.

        Args:
            name: The image's name, relative to the folder of images, with ``/``.
            features: A wireframe, or arrays as :func:`read_features_h5` returns them.
            index: Which image of the wireframe's batch; may be left out for a batch of one.
            uncertainty: The detection noise of the keypoints in px of the original image;
                the arrays' own ``uncertainty`` comes first.
            origin: What the features come from, JSON values by name.

        Raises:
            ValueError: If a shape or an index does not fit, or the name is empty or nests one
                image within another.
            OSError: If the file cannot be written.
        """
        if isinstance(features, Wireframe):
            arrays = wireframe_arrays(features, index=index)
        else:
            arrays = {key: np.asarray(array) for key, array in features.items()}
        _check(arrays)
        attributes: dict[str, Any] = {key: arrays[key] for key in _ATTRIBUTES if key in arrays}
        if origin is not None:
            attributes[ORIGIN] = json.dumps(origin)
        noise = arrays.get("uncertainty", np.float32(uncertainty))
        self._store.append(
            name,
            {key: _stored(arrays[key]) for key in (*_NEEDED, *_OPTIONAL) if key in arrays},
            attributes=attributes,
            array_attributes={"keypoints": {"uncertainty": noise}},
        )

    def flush(self) -> None:
        """Have what was added so far survive a later error in the block."""
        self._store.keep()


def write_features_h5(
    path: str | os.PathLike[str],
    name: str,
    features: Wireframe | Mapping[str, np.ndarray],
    *,
    index: int | None = None,
    uncertainty: float = 1.0,
) -> None:
    """Write the features of one image; for many, :class:`FeaturesWriter` is faster.

    Args:
        path: The HDF5 file, which is extended if it exists.
        name: The image's name, relative to the folder of images, with ``/``.
        features: A wireframe, or arrays as :func:`read_features_h5` returns them.
        index: Which image of the wireframe's batch; may be left out for a batch of one.
        uncertainty: The detection noise of the keypoints in px of the original image.

    Raises:
        ValueError: If a shape, an index or the name does not fit, or there is a file that is
            not HDF5.
        OSError: If the file cannot be written; an earlier file is left as it was.
    """
    with FeaturesWriter(path) as writer:
        writer.add(name, features, index=index, uncertainty=uncertainty)


def read_features_h5(path: str | os.PathLike[str], name: str) -> Arrays:
    """Read the features of one image, from this package or from hloc.

    For many, :class:`FeaturesReader` is faster.

    Args:
        path: The HDF5 file.
        name: The image's name.

    Returns:
        The datasets listed at the top of this module by name, integers as int64 and the rest
        as float32; the attributes ``uncertainty``, ``num_junctions``, ``num_view_keypoints`` and
        ``num_view_lines`` as [] arrays, and ``view``, ``view_size`` and ``resize_scale``. What the
        file does not hold (the lines, in files of hloc) is left out.

    Raises:
        ValueError: If there is no such file or image, the file is not HDF5 or is damaged, or
            shapes do not fit together.
    """
    with FeaturesReader(path) as reader:
        return reader.read(name)


def _read(reader: H5Reader, name: str) -> Arrays:
    with reader.entry(name, keys=(*_NEEDED, *_OPTIONAL)) as entry:
        arrays = {key: numeric(array, key) for key, array in entry.arrays.items()}
        for key, dtype in _ATTRIBUTES.items():
            if key in entry.attributes:
                arrays[key] = np.asarray(entry.attributes[key], dtype=dtype)
        _check(arrays)
        arrays["image_size"] = arrays["image_size"].astype(np.int64)
        if "uncertainty" in entry.array_attributes["keypoints"]:
            noise = entry.array_attributes["keypoints"]["uncertainty"]
            arrays["uncertainty"] = np.asarray(noise, dtype=np.float32)
    return arrays


def _check(arrays: Mapping[str, np.ndarray]) -> None:
    missing = [key for key in _NEEDED if key not in arrays]
    if missing:
        raise ValueError(f"features need {' and '.join(missing)}, found {sorted(arrays)}")
    if ("view" in arrays) != ("view_size" in arrays):
        raise ValueError("features need view and view_size together, found one of them alone")
    optional = _OPTIONAL | _VIEW
    specs = _NEEDED | {key: spec for key, spec in optional.items() if key in arrays}
    check_shapes("features", arrays, specs)
    nodes, num_nodes = arrays.get("line_junctions"), len(arrays["keypoints"])
    if nodes is not None and nodes.size and not 0 <= nodes.min() <= nodes.max() < num_nodes:
        raise ValueError(
            f"line_junctions needs indices from 0 to {num_nodes - 1}, "
            f"found {nodes.min()} to {nodes.max()}"
        )


def _stored(array: np.ndarray) -> np.ndarray:
    return array.astype(np.int64 if array.dtype.kind in "biu" else np.float32)
