"""How long a pair takes with the default and with presets, which take turns.

Usage: ``OMP_NUM_THREADS=1 python docs/measurements/speed/presets.py IMAGE0 IMAGE1 [--presets quick
fast] [--repeat 5] [--threads 1]``; without the variable NumPy's threads count as well. Printed are
the processor seconds from two images in memory to their matches, least and median, how many times
faster than the default the median is, and how many points and lines are matched.
"""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from gluestick import load_image
from gluestick.catalog import load_matcher, matcher_card
from gluestick.config import load_match_config


def measure(images: tuple[Path, Path], presets: list[str], *, repeat: int) -> None:
    """Print the table."""
    pair = [load_image(path) for path in images]
    matchers = {}
    for preset in (None, *presets):
        config = load_match_config(preset, find_card=matcher_card)
        matchers[preset or "default"] = load_matcher(config.model, config=config.pipeline)
    results = {name: matcher(*pair)[2] for name, matcher in matchers.items()}
    seconds: dict[str, list[float]] = {name: [] for name in matchers}
    for _ in range(repeat):
        for name, matcher in matchers.items():
            start = time.process_time()
            matcher(*pair)
            seconds[name].append(time.process_time() - start)
    slowest = np.median(seconds["default"])
    print("| | least, s | median, s | faster | points | lines |\n|---|---|---|---|---|---|")
    for name, found in seconds.items():
        points, lines = (
            int((matches > -1).sum())
            for matches in (results[name].matches0, results[name].line_matches0)
        )
        median = np.median(found)
        print(
            f"| {name} | {min(found):.2f} | {median:.2f} | {slowest / median:.1f} x | {points} | "
            f"{lines} |"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, nargs=2)
    parser.add_argument("--presets", nargs="+", default=["quick", "fast"])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    cv2.setNumThreads(given.threads)
    cv2.setNumThreads(given.threads)
    measure(tuple(given.images), given.presets, repeat=given.repeat)
