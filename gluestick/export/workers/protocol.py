"""What a folder of images asks of its workers."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from gluestick.export.arrays import Arrays
from gluestick.export.folder_images import NamePair
from gluestick.export.workers.steps import Failure, FolderSteps

ReadFeatures = Callable[[str], Arrays]
"""Reads the features of an image by its name."""


class Workers(Protocol):
    """Does the steps of many images and pairs, and returns what comes of them in their order."""

    def extract(
        self, steps: FolderSteps, images: Iterable[tuple[str, float]]
    ) -> Iterator[Arrays | Failure]:
        """Find the features of images, of which the names and turns are given.

        Yields:
            For each of them its features, or why there are none.
        """
        ...

    def match(
        self, steps: FolderSteps, pairs: Iterable[NamePair], features: ReadFeatures
    ) -> Iterator[Arrays]:
        """Match pairs of images.

        Yields:
            For each of them its matches.
        """
        ...
