"""What the search for views finds in photographs that have nothing in common.

Usage: ``python docs/measurements/views/unrelated_views.py PHOTOS [--pairs 120]``. Takes pairs of
photographs that are not held out, of different folders, and prints the log10 of the false alarms of
the best map of each kind of comparison. Pairs with a map below ``--match-below`` are matched as
``gluestick.match`` does, and it says how many are trusted.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from gluestick import match
from gluestick.datasets.holdout import is_held_out
from gluestick.datasets.photographs import list_photographs
from gluestick.features.image_batch import ImageBatch
from gluestick.images.load import load_image
from gluestick.pipeline import PointLineMatcher
from gluestick.viewpoint.view_search import ViewSearchConfig, maps_by_kind


def unrelated_pairs(root: Path, *, number: int) -> Iterator[tuple[Path, Path]]:
    """Draw photographs of different folders."""
    names = [name for name in list_photographs(root) if not is_held_out(name)]
    rng = np.random.default_rng(0)
    while number:
        first, second = (names[index] for index in rng.integers(len(names), size=2))
        if Path(first).parts[0] != Path(second).parts[0]:
            number -= 1
            yield root / first, root / second


def measure(root: Path, *, number: int, match_below: float) -> None:
    """Print what is found."""
    matcher = PointLineMatcher.from_pretrained()
    everything = ViewSearchConfig(max_false_alarms=np.inf, max_squeezed_false_alarms=np.inf)
    least: dict[str, list[float]] = {}
    matched = trusted = 0
    for paths in unrelated_pairs(root, number=number):
        image0, image1 = (load_image(path) for path in paths)
        batches = ImageBatch(images=[image0]), ImageBatch(images=[image1])
        alarms: dict[str, float] = {}
        for kind, maps in maps_by_kind(matcher.extractor, *batches, config=everything):
            best = min((each.log10_false_alarms for each in maps), default=np.inf)
            alarms[kind] = min(best, alarms.get(kind, np.inf))
        for kind, value in alarms.items():
            least.setdefault(kind, []).append(value)
        if min(alarms.values()) < match_below:
            matched += 1
            trusted += match(image0, image1, model=matcher).trusted
            print(f"matched {paths[0].name} {paths[1].name} {alarms} {trusted}", flush=True)
    print("| comparison | pairs | least | 1% | 5% | median | below 0 | -1 | -2 | -3 | -4 |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for kind, values in least.items():
        quantiles = np.quantile(values, (0, 0.01, 0.05, 0.5), method="lower")
        below = [int((np.array(values) < limit).sum()) for limit in (0, -1, -2, -3, -4)]
        cells = [kind, len(values), *(f"{value:.1f}" for value in quantiles), *below]
        print("| " + " | ".join(map(str, cells)) + " |")
    print(f"{matched} pairs with a map below {match_below:g} were matched, {trusted} trusted")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo_dir", type=Path)
    parser.add_argument("--pairs", type=int, default=120)
    parser.add_argument("--match-below", type=float, default=-1.0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    measure(arguments.photo_dir, number=arguments.pairs, match_below=arguments.match_below)
