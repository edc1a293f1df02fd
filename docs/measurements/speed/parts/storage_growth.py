"""What it costs to store images and pairs: bytes written per byte kept, and time as files grow.

    python docs/measurements/speed/parts/storage_growth.py FOLDER [--images 2000] [--pairs 20000]

Writes the files of ``gluestick export`` and ``gluestick benchmark`` with invented content of the
usual size, entry by entry, as these commands do, and removes them again (at most 1.5 GB at a
time). Linux counts the bytes, those handed over by write calls and those sent to the disk, and
the milliseconds of the processor. The last column but one is the time it took to end the file.
"""

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from gluestick.benchmarks.run.store import PairReader, PairWriter
from gluestick.export import FeaturesReader, FeaturesWriter, MatchesReader, MatchesWriter

NUM_KEYPOINTS = 1024
NUM_LINES = 250
PARTNERS = 10
"""Pairs per image 0."""

Step = Callable[[int], None]


def main() -> None:
    """Measure the three files in turn and print a row of a table for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--pairs", type=int, default=20000)
    options = parser.parse_args()
    header = [
        "file",
        "entries",
        "MB kept",
        "handed over / kept",
        "to the disk / kept",
        "ms per entry, first tenth",
        "last tenth",
        "ms to end",
        "ms to read an entry",
    ]
    print("| " + " | ".join(header) + " |")
    print("|---" * len(header) + "|")
    for name, number, writing, reading in (
        ("features.h5", options.images, write_features, read_features),
        ("matches.h5", options.pairs, write_matches, read_matches),
        ("predictions.h5", options.pairs, write_predictions, read_predictions),
    ):
        path = options.folder / name
        try:
            print(row(path, number, writing, reading), flush=True)
        finally:
            path.unlink(missing_ok=True)


def row(
    path: Path,
    number: int,
    writing: Callable[[Path], Iterator[Step]],
    reading: Callable[[Path], Iterator[Step]],
) -> str:
    """Write a file, read some of it, and return a row of the table."""
    before = written_bytes()
    seconds, ending = timed(writing(path), range(number))
    handed, disk = (after - first for after, first in zip(written_bytes(), before, strict=True))
    kept, tenth = path.stat().st_size, max(1, number // 10)
    read, _ = timed(reading(path), np.linspace(0, number - 1, min(number, 500)).astype(int))
    cells = [
        f"`{path.name}`",
        f"{number}",
        f"{kept / 1e6:.0f}",
        f"{handed / kept:.2f}",
        f"{disk / kept:.2f}",
        f"{1e3 * np.mean(seconds[:tenth]):.2f}",
        f"{1e3 * np.mean(seconds[-tenth:]):.2f}",
        f"{1e3 * ending:.0f}",
        f"{1e3 * np.mean(read):.2f}",
    ]
    return "| " + " | ".join(cells) + " |"


def timed(steps: Iterator[Step], numbers: Iterable[int]) -> tuple[list[float], float]:
    """Return the processor's seconds for each step, and those for ending the file."""
    step = next(steps)
    marks = [time.process_time()]
    for number in numbers:
        step(int(number))
        marks.append(time.process_time())
    next(steps, None)
    return list(np.diff(marks)), time.process_time() - marks[-1]


def written_bytes() -> tuple[int, int]:
    """Return how many bytes this process has handed over to be written and sent to the disk."""
    found = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(found["wchar"]), int(found["write_bytes"])


def write_features(path: Path) -> Iterator[Step]:
    """Add images."""
    rng = np.random.default_rng(0)
    arrays = {
        "image_size": np.array([1600, 1200]),
        "keypoints": rng.uniform(0, 1200, (NUM_KEYPOINTS, 2)),
        "scores": rng.uniform(size=NUM_KEYPOINTS),
        "descriptors": rng.normal(size=(128, NUM_KEYPOINTS)).astype(np.float32),
        "num_junctions": np.array(300),
        "lines": rng.uniform(0, 1200, (NUM_LINES, 2, 2)),
        "line_scores": rng.uniform(size=NUM_LINES),
        "line_junctions": rng.integers(300, size=(NUM_LINES, 2)),
    }
    with FeaturesWriter(path) as writer:

        def add(number: int) -> None:
            writer.add(image_name(number), arrays)
            writer.flush()

        yield add


def read_features(path: Path) -> Iterator[Step]:
    """Read images."""
    with FeaturesReader(path) as reader:
        yield lambda number: len(reader.read(image_name(number)))


def write_matches(path: Path) -> Iterator[Step]:
    """Add pairs, each image 0 with some partners."""
    with MatchesWriter(path) as writer:
        arrays = pair_arrays()

        def add(number: int) -> None:
            writer.add_arrays(*pair_names(number), arrays)
            writer.flush()

        yield add


def read_matches(path: Path) -> Iterator[Step]:
    """Read pairs."""
    with MatchesReader(path) as reader:
        yield lambda number: len(reader.read(*pair_names(number)))


def write_predictions(path: Path) -> Iterator[Step]:
    """Add predictions of pairs."""
    rng = np.random.default_rng(0)
    arrays = pair_arrays()
    for side in (0, 1):
        arrays[f"keypoints{side}"] = rng.uniform(0, 1200, (NUM_KEYPOINTS, 2)).astype(np.float32)
        arrays[f"lines{side}"] = rng.uniform(0, 1200, (NUM_LINES, 2, 2)).astype(np.float32)
    with PairWriter(path, {"model": "invented"}) as writer:
        yield lambda number: writer.add("/".join(pair_names(number)), arrays)


def read_predictions(path: Path) -> Iterator[Step]:
    """Read predictions."""
    with PairReader(path) as reader:
        yield lambda number: len(reader.read("/".join(pair_names(number))))


def pair_arrays() -> dict[str, np.ndarray]:
    """Return the matches of a pair."""
    rng = np.random.default_rng(0)
    arrays = {}
    for kind, size in (("", NUM_KEYPOINTS), ("junction_", NUM_KEYPOINTS), ("line_", NUM_LINES)):
        for side in (0, 1):
            arrays[f"{kind}matches{side}"] = rng.integers(-1, size, size)
            arrays[f"{kind}matching_scores{side}"] = rng.uniform(size=size).astype(np.float32)
    return arrays


def image_name(number: int) -> str:
    """Return the name of an image in a folder of some."""
    return f"folder_{number // 100:03}/image_{number:06}.jpg"


def pair_names(number: int) -> tuple[str, str]:
    """Return the names of two images."""
    first = number // PARTNERS
    return image_name(first), image_name(first + 1 + number % PARTNERS)


if __name__ == "__main__":
    main()
