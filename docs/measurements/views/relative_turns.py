"""How often the vote on the turn of a pair, and the search, are confident and right.

Usage: ``python docs/measurements/views/relative_turns.py PHOTOS [--pairs 200]``. Takes the
photographs that are held out, turned by any angle, upright, and paired with others, where nothing
should be confident: each with all others for the vote, each with the next one for the search. The
truth is the rotation of the homography at the centre of the image.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from gluestick.benchmarks.run.runner import select_pairs
from gluestick.benchmarks.tasks.planar.synthetic import SyntheticBenchmark
from gluestick.datasets.homographies import rotation_at_centre
from gluestick.datasets.synthetic_pairs import SyntheticPairsConfig
from gluestick.features.extractor import FeatureExtractor
from gluestick.viewpoint.turns.relative_turn import (
    RelativeTurn,
    estimate_relative_turn,
    oriented_keypoints,
    vote_on_turn,
)
from gluestick.viewpoint.turns.turn_search import search_turn

RIGHT = 30.0
"""Degrees; the matcher bears what remains of a turn that is undone up to this."""


def photograph(name: str) -> str:
    """Return the photograph of a pair."""
    return name.rpartition("#")[0]


def measure(root: Path, *, num_pairs: int) -> None:
    """Print the table."""
    extractor = FeatureExtractor()

    def search(image0: Tensor, image1: Tensor) -> RelativeTurn:
        return search_turn(extractor, image0, image1)

    methods: dict[str, Callable[[Tensor, Tensor], RelativeTurn]] = {
        "vote": estimate_relative_turn,
        "search": search,
    }
    print("| | pairs | number | right | confident | confident and wrong | s |")
    print("|---|---|---|---|---|---|---|")
    for label, max_turn in (("upright", None), ("turned by any angle", 180.0)):
        config = SyntheticPairsConfig(holdout=True, max_turn=max_turn)
        benchmark = SyntheticBenchmark(root, config)
        pairs = select_pairs(benchmark.pairs(), num_pairs=num_pairs)
        for method, estimate in methods.items():
            errors, confident, seconds = [], [], []
            for pair in pairs:
                images = benchmark.load(pair)
                start = time.perf_counter()
                found = estimate(*images)
                seconds.append(time.perf_counter() - start)
                size = images[0].shape[2], images[0].shape[1]
                turn = rotation_at_centre(pair.truth.H_0to1, image_size=size)
                errors.append(abs((found.angle - turn + 180) % 360 - 180))
                confident.append(found.confident)
            right = np.array(errors) < RIGHT
            wrong = int((np.array(confident) & ~right).sum())
            print(
                f"| {method} | {label} | {len(pairs)} | {right.mean():.1%} "
                f"| {np.mean(confident):.1%} | {wrong} | {np.median(seconds):.3f} |"
            )
    firsts = pairs[::2]
    images = [benchmark.load(pair) for pair in firsts]
    names = [photograph(pair.name) for pair in firsts]
    keypoints = [[oriented_keypoints(image) for image in sides] for sides in images]
    everything = range(len(firsts))
    votes = [
        vote_on_turn(keypoints[i][0], keypoints[j][1])
        for i in everything
        for j in everything
        if names[i] != names[j]
    ]
    searches = [
        search(images[i][0], images[i - 1][1]) for i in everything if names[i] != names[i - 1]
    ]
    for method, found_turns in (("vote", votes), ("search", searches)):
        number = sum(found.confident for found in found_turns)
        share = number / len(found_turns)
        print(f"| {method} | unrelated | {len(found_turns)} | - | {share:.2%} | {number} | - |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo_dir", type=Path)
    parser.add_argument("--pairs", type=int, default=200)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    measure(arguments.photo_dir, num_pairs=arguments.pairs)
