"""How often the vote on the turn of a pair is confident, and how often it is right.

Usage: ``python docs/measurements/relative_turns.py PHOTOS [--pairs 200]``. Takes the photographs
that are held out, turned by any angle, upright, and each paired with all others, where no vote
should be confident. The truth is the rotation of the homography at the centre of the image.
"""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from gluestick.benchmarks.runner import select_pairs
from gluestick.benchmarks.synthetic import SyntheticBenchmark, SyntheticConfig
from gluestick.datasets.homographies import rotation_at_centre
from gluestick.features.relative_turn import oriented_keypoints, vote_on_turn

RIGHT = 30.0
"""Degrees; the matcher bears what remains of a turn that is undone up to this."""


def photograph(name: str) -> str:
    """Return the photograph of a pair."""
    return name.rpartition("#")[0]


def measure(root: Path, *, num_pairs: int) -> None:
    """Print the table."""
    print("| pairs | number | vote right | confident | confident and wrong | s per vote |")
    print("|---|---|---|---|---|---|")
    sides = []
    for label, max_turn in (("upright", None), ("turned by any angle", 180.0)):
        benchmark = SyntheticBenchmark(root, SyntheticConfig(holdout=True, max_turn=max_turn))
        pairs = select_pairs(benchmark.pairs(), num_pairs=num_pairs)
        errors, confident, seconds = [], [], []
        sides = []
        for pair in pairs:
            images = benchmark.load(pair)
            start = time.perf_counter()
            keypoints = [oriented_keypoints(image) for image in images]
            vote = vote_on_turn(*keypoints)
            seconds.append(time.perf_counter() - start)
            size = images[0].shape[2], images[0].shape[1]
            H_0to1 = pair.truth[1].H @ np.linalg.inv(pair.truth[0].H)
            turn = rotation_at_centre(H_0to1, image_size=size)
            errors.append(abs((vote.angle - turn + 180) % 360 - 180))
            confident.append(vote.confident)
            sides.append((photograph(pair.name), *keypoints))
        right = np.array(errors) < RIGHT
        wrong = int((np.array(confident) & ~right).sum())
        print(
            f"| {label} | {len(pairs)} | {right.mean():.1%} | {np.mean(confident):.1%} | {wrong} "
            f"| {np.median(seconds):.3f} |"
        )
    votes = [
        vote_on_turn(first[1], second[2])
        for first in sides[::2]
        for second in sides[::2]
        if first[0] != second[0]
    ]
    number = sum(vote.confident for vote in votes)
    print(f"| unrelated | {len(votes)} | - | {number / len(votes):.2%} | {number} | - |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo_dir", type=Path)
    parser.add_argument("--pairs", type=int, default=200)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    measure(arguments.photo_dir, num_pairs=arguments.pairs)
