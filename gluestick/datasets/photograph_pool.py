"""Photographs to draw from, of which some may turn out to be unreadable."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

import numpy as np

from gluestick.datasets.holdout import is_held_out
from gluestick.datasets.photographs import list_photographs
from gluestick.images.load import load_image

_logger = logging.getLogger(__name__)

_NUM_TRIES = 20


class PhotographPool:
    """Draws photographs at random.

    Args:
        folder: Where they are, as they are or in folders.
        names: Their paths relative to the folder.
        weights: How often a photograph is drawn, by the folders below ``folder``; 1 for those
            that are not named.

    Raises:
        ValueError: If there is no photograph, or a weight is negative or names no folder.
    """

    def __init__(
        self, folder: Path, names: Sequence[str], *, weights: Mapping[str, float] | None = None
    ) -> None:
        if not names:
            raise ValueError(f"{folder} needs at least one photograph to train on, found none")
        self.folder, self.names = folder, list(names)
        folders = [PurePath(name).parts[0] for name in names]
        for name, weight in (weights or {}).items():
            if weight < 0 or name not in folders:
                raise ValueError(
                    f"the weight of {name!r} needs to be at least 0 and to name a folder in "
                    f"{folder}, found {weight}"
                )
        odds = np.array([(weights or {}).get(name, 1.0) for name in folders])
        if odds.sum() == 0:
            raise ValueError("the weights of the photographs are all 0: raise one")
        self._below = np.cumsum(odds) / odds.sum()
        self._unreadable: set[int] = set()

    @classmethod
    def in_folder(
        cls,
        folder: Path,
        *,
        held_out: bool = False,
        weights: Mapping[str, float] | None = None,
    ) -> "PhotographPool":
        """Return the photographs in a folder and below it.

        Args:
            folder: The folder.
            held_out: Whether those that are held out are taken, or all others; see
                :func:`gluestick.datasets.holdout.is_held_out`.
            weights: How often a photograph is drawn, by folder.

        Raises:
            ValueError: If there is none.
        """
        names = [name for name in list_photographs(folder) if is_held_out(name) == held_out]
        return cls(folder, names, weights=weights)

    def __len__(self) -> int:
        return len(self.names)

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Draw a photograph [H, W, 3] uint8, RGB.

        A file that cannot be read is named in the log, once, and another one is drawn.

        Raises:
            ValueError: If no file can be read.
        """
        for _ in range(_NUM_TRIES):
            index = int(np.searchsorted(self._below, rng.random(), side="right"))
            index = min(index, len(self.names) - 1)
            try:
                image = load_image(self.folder / self.names[index])
            except (ValueError, OSError) as error:
                if index not in self._unreadable:
                    self._unreadable.add(index)
                    _logger.warning("skipped a photograph: %s", error)
                continue
            return np.ascontiguousarray((image * 255).round().byte().permute(1, 2, 0).numpy())
        raise ValueError(
            f"{_NUM_TRIES} files in {self.folder} in a row cannot be read as photographs, "
            f"such as {self.names[index]}: remove damaged files"
        )
