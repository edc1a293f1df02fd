"""The descriptors of the photographs of a folder, on disk, and which photographs are similar.

The local descriptors are root-SIFT at the keypoints that also vote on turns
(:mod:`gluestick.viewpoint.turns.relative_turn`), so that a turned photograph is like the upright
one, and nothing is downloaded. The vocabulary is learnt from the folder itself, once: it is kept
with the descriptors, and what is added to the folder later is described by it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gluestick.export.folder_images import Progress, no_progress
from gluestick.images.load import load_image
from gluestick.reconstruction.pairs.global_descriptors import (
    Vocabulary,
    learn_vocabulary,
    most_similar,
)
from gluestick.storage.fingerprints import file_fingerprint
from gluestick.storage.h5.store import H5Store
from gluestick.viewpoint.turns.relative_turn import RelativeTurnConfig, oriented_keypoints

_VERSION = 1
_VOCABULARY, _PHOTOGRAPHS = "vocabulary", "photographs"
_PHOTOGRAPHS_TO_LEARN_FROM = 200


@dataclass(frozen=True, kw_only=True)
class RetrievalConfig:
    """Options of the descriptors.

    Attributes:
        num_words: The size of the vocabulary.
        keypoints: Which keypoints are described.
        seed: Of the vocabulary.
    """

    num_words: int = 64
    keypoints: RelativeTurnConfig = field(default_factory=RelativeTurnConfig)
    seed: int = 0


class PhotographDescriptors:
    """Describes photographs, and keeps what it has described. Use it in a ``with`` block.

    Args:
        path: The HDF5 file.
        image_dir: The folder of photographs.
        config: The options.

    Raises:
        ValueError: On entering, if the file is none of these, or was made with other options.
    """

    def __init__(
        self, path: Path, image_dir: Path, *, config: RetrievalConfig | None = None
    ) -> None:
        self._config = config or RetrievalConfig()
        self._image_dir = image_dir
        settings = {"version": _VERSION, **asdict(self._config)}
        self._store = H5Store(path, configuration=settings)

    def __enter__(self) -> "PhotographDescriptors":
        self._store.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._store.__exit__(*error)

    def describe(self, names: Sequence[str], *, progress: Progress = no_progress) -> np.ndarray:
        """Return the descriptors of photographs.

        Args:
            names: The photographs, relative to the folder.
            progress: Shows how far it is.

        Returns:
            [N, E] float32 of unit length; zeros for a photograph that cannot be read.

        Raises:
            ValueError: If no photograph shows anything.
        """
        vocabulary = self.vocabulary(names, progress=progress)
        found = np.zeros((len(names), vocabulary.words.size), np.float32)
        for row, name in enumerate(progress(names, "Photographs to compare")):
            found[row] = self._descriptor(name, vocabulary)
        return found

    def vocabulary(self, names: Sequence[str], *, progress: Progress = no_progress) -> Vocabulary:
        """Return the vocabulary; arguments and errors are those of :meth:`describe`."""
        if _VOCABULARY in self._store:
            return Vocabulary(self._store.read(_VOCABULARY).arrays["words"])
        step = max(1, len(names) // _PHOTOGRAPHS_TO_LEARN_FROM)
        samples = [
            self._local(name) for name in progress(list(names[::step]), "Vocabulary of the folder")
        ]
        vocabulary = learn_vocabulary(
            samples, num_words=self._config.num_words, seed=self._config.seed
        )
        self._store.append(_VOCABULARY, {"words": vocabulary.words})
        return vocabulary

    def _descriptor(self, name: str, vocabulary: Vocabulary) -> np.ndarray:
        entry = f"{_PHOTOGRAPHS}/{name}"
        try:
            image = file_fingerprint(self._image_dir / name)
        except OSError:
            return np.zeros(vocabulary.words.size, np.float32)
        if self._store.attributes(entry).get("image") == image:
            return self._store.read(entry).arrays["descriptor"].astype(np.float32)
        descriptor = vocabulary.describe(self._local(name)).astype(np.float16)
        self._store.append(entry, {"descriptor": descriptor}, attributes={"image": image})
        return descriptor.astype(np.float32)

    def _local(self, name: str) -> np.ndarray:
        try:
            image = load_image(self._image_dir / name)
        except (ValueError, OSError):
            return np.zeros((0, 128), np.float32)
        return oriented_keypoints(image, config=self._config.keypoints).descriptors


def similar_photographs(
    descriptors: np.ndarray,
    *,
    count: int,
    rows: Sequence[int] | None = None,
    apart: int = 0,
) -> list[tuple[int, int]]:
    """Return pairs of photographs that are similar.

    Args:
        descriptors: [N, E] of unit length.
        count: How many partners each photograph gets.
        rows: Which photographs get partners; all if left out.
        apart: Photographs nearer to each other in the order are no partners.

    Returns:
        Pairs of indices, the smaller first, each once, sorted.
    """
    chosen = np.arange(len(descriptors)) if rows is None else np.array(rows, dtype=int)
    blank = np.logical_not(descriptors.any(axis=1))
    found: set[tuple[int, int]] = set()
    for start in range(0, len(chosen), _ROWS_AT_A_TIME):
        block = chosen[start : start + _ROWS_AT_A_TIME]
        near = np.abs(block[:, None] - np.arange(len(descriptors))) <= apart
        excluded = near | blank | blank[block][:, None]
        similar = most_similar(descriptors[block], descriptors, count=count, excluded=excluded)
        for row, partners in zip(block.tolist(), similar.tolist(), strict=True):
            found |= {(min(row, other), max(row, other)) for other in partners if other >= 0}
    return sorted(found)


_ROWS_AT_A_TIME = 256
"""So that similarities take little memory in large folders."""
