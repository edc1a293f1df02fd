"""How often the search for views is right, what it finds in unrelated pairs, and what it costs.

Usage: ``python docs/measurements/views/view_search.py PHOTOS [--photographs 20]``. Takes held-out
photographs, each against a detail of itself and against itself squeezed, turned or not, as
``gluestick benchmark synthetic`` makes them, and against the next photograph. A map is right if
it differs from the truth by less than a factor of 1.5 in size and of 1.8 in tilt.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from gluestick.datasets.synthetic_pairs import (
    SyntheticPair,
    SyntheticPairsConfig,
    draw_synthetic_pairs,
)
from gluestick.features.extractor import FeatureExtractor
from gluestick.features.image_batch import ImageBatch
from gluestick.geometry.affine import compose, inverse, stretch
from gluestick.viewpoint.view_search import ViewSearchConfig, search_views

CASES = (("zoom", 6.0), ("zoom", 8.0), ("zoom", 10.0), ("tilt", 6.0), ("tilt", 8.0))
SCALE, TILT = 1.5, 1.8


def is_right(affine: np.ndarray, pair: SyntheticPair) -> bool:
    """Tell whether a map is near that of the pair, which is affine."""
    scale, tilt = stretch(compose(inverse(pair.H_0to1[:2]), affine))
    return max(scale, 1 / scale) < SCALE and tilt < TILT


def measure(root: Path, *, num_photographs: int) -> None:
    """Print the table."""
    extractor = FeatureExtractor()
    print("| pairs | turned | number | best right | one right | found | log10 false alarms | s |")
    print("|---|---|---|---|---|---|---|---|")
    for change, strength in (*CASES, ("unrelated", 1.0)):
        for max_turn in (0.0, 180.0):
            config = SyntheticPairsConfig(
                holdout=True,
                num_photographs=num_photographs,
                pairs_per_photograph=1,
                change="zoom" if change == "unrelated" else change,  # type: ignore[arg-type]
                strength=strength,
                max_turn=max_turn,
            )
            pairs = draw_synthetic_pairs(root, config)
            best, among, number, alarms, seconds = [], [], [], [], []
            for pair, other in zip(pairs, [*pairs[1:], pairs[0]], strict=True):
                image0 = (other if change == "unrelated" else pair).load()[0]
                image1 = pair.load()[1]
                start = time.process_time()
                found = search_views(
                    extractor,
                    ImageBatch(images=[image0]),
                    ImageBatch(images=[image1]),
                    config=ViewSearchConfig(),
                )
                seconds.append(time.process_time() - start)
                right = [
                    change != "unrelated" and is_right(evidence.affine, pair) for evidence in found
                ]
                best.append(bool(right[:1] and right[0]))
                among.append(any(right))
                number.append(len(found))
                alarms += [evidence.log10_false_alarms for evidence in found[:1]]
            least = f"{np.median(alarms):.1f}" if alarms else "-"
            print(
                f"| {change} {strength:g} | {'by any angle' if max_turn else 'no'} | {len(pairs)} "
                f"| {np.mean(best):.0%} | {np.mean(among):.0%} | {np.mean(number):.1f} | {least} "
                f"| {np.median(seconds):.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo_dir", type=Path)
    parser.add_argument("--photographs", type=int, default=20)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    measure(arguments.photo_dir, num_photographs=arguments.photographs)
