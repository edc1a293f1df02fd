"""How long two images take that are looked at side by side.

Usage: ``python docs/measurements/speed/two_images.py IMAGE0 IMAGE1 [--repeat 9]``. Extracts both
photographs at 640 px, 1,024 keypoints and 250 lines, in three ways in turns: on one thread; one
after the other, on two threads that share the work within an image; and side by side, on a thread
each. Printed is the processor time of the thread that takes longest, which other work on the
machine changes little and which is what passes where each thread has a processor: the least and the
median. Set ``OMP_WAIT_POLICY=passive``, so that waiting threads take none.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gluestick.images.load import load_image
from gluestick.images.resize import ResizeConfig, resize_image
from gluestick.pipeline import PointLineMatcher
from gluestick.side_by_side import run_side_by_side
from gluestick.timing import StageTimer


def spent(
    matcher: PointLineMatcher, images: Sequence[Tensor], _: StageTimer | None = None
) -> float:
    """Extract images one after the other, and return the processor time of this thread."""
    start = time.thread_time()
    for image in images:
        matcher.extract(image)
    return time.thread_time() - start


def on_threads(number: int, matcher: PointLineMatcher, images: Sequence[Tensor]) -> float:
    """Extract images one after the other, on so many threads."""
    torch.set_num_threads(number)
    return spent(matcher, images)


def apart(matcher: PointLineMatcher, images: Sequence[Tensor]) -> float:
    """Extract images side by side, and return the time of the one that takes longer."""
    torch.set_num_threads(2)
    return max(run_side_by_side([partial(spent, matcher, [image]) for image in images]))


def main(paths: Sequence[Path], *, repeat: int) -> None:
    """Print the table."""
    matcher = PointLineMatcher.from_pretrained(max_num_keypoints=1024, max_num_lines=250)
    images = [resize_image(load_image(path), config=ResizeConfig(size=640))[0] for path in paths]
    ways: dict[str, Callable[[], float]] = {
        "one thread": partial(on_threads, 1, matcher, images),
        "two threads within each image": partial(on_threads, 2, matcher, images),
        "side by side": partial(apart, matcher, images),
    }
    seconds = np.array([[call() for call in ways.values()] for _ in range(repeat + 1)])[1:]
    print("| | s: least, median |\n|---|---|")
    for name, values in zip(ways, seconds.T, strict=True):
        print(f"| {name} | {values.min():.2f}, {np.median(values):.2f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, nargs=2)
    parser.add_argument("--repeat", type=int, default=9)
    given = parser.parse_args()
    main(given.images, repeat=given.repeat)
