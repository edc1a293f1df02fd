"""One look into a file of predictions or results."""

from pathlib import Path
from typing import Any

import numpy as np

from gluestick.benchmarks.run.store import PairReader


def read_configuration(path: Path) -> dict[str, Any]:
    with PairReader(path) as reader:
        return reader.configuration


def read_names(path: Path) -> list[str]:
    with PairReader(path) as reader:
        return reader.names()


def read_pair(path: Path, name: str) -> dict[str, np.ndarray]:
    with PairReader(path) as reader:
        return reader.read(name)
