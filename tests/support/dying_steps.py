"""Steps of which one ends its process, as a machine that goes down does."""

import os
from dataclasses import dataclass
from pathlib import Path

from gluestick.export.arrays import Arrays
from gluestick.export.workers.steps import FolderSteps, ReadImage


@dataclass(frozen=True)
class DyingSteps(FolderSteps):
    """The process that looks at the first image dies, once, or each time."""

    mark: Path = Path()
    always: bool = False

    def extract(self, read: ReadImage, turn: float) -> Arrays:
        if self.always or not self.mark.exists():
            self.mark.touch()
            os._exit(1)
        return super().extract(read, turn)
