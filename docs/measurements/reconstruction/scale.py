"""Whether a thousand photographs and their pairs can be stored and planned, and what they cost.

Usage: ``python docs/measurements/reconstruction/scale.py PHOTOS [--images 1000] [--pairs 20000]
[--match 20] [--keypoints 1024]``. A folder of as many links to the photographs is exported with
workers that copy features and matches instead of finding them, each photograph with those that
follow it; nothing else differs from ``gluestick export``. Printed are the seconds, the memory and
the bytes of each step by the number of images, how often features are read per image, and how long
an image and a pair really take (``--match`` of them, one thread), from which the time of a cluster
follows.
"""

import argparse
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import torch

from gluestick import PointLineMatcher
from gluestick.datasets.photographs import list_photographs
from gluestick.export import export_hloc_folder
from gluestick.export.arrays import Arrays
from gluestick.export.folder_images import NamePair
from gluestick.export.workers.local import IMAGES_IN_MEMORY, LocalWorkers
from gluestick.export.workers.protocol import ReadFeatures
from gluestick.export.workers.steps import Failure, FolderSteps


class CopyingWorkers:
    """Gives all images and pairs the features and matches of one, and reads what it would need."""

    def __init__(self, features: Arrays, matches: Arrays) -> None:
        self.features, self.matches = features, matches
        self.reads: Counter[str] = Counter()
        self.started: dict[str, float] = {}

    def extract(
        self, steps: FolderSteps, images: Iterable[tuple[str, float]]
    ) -> Iterator[Arrays | Failure]:
        """Yield the same features for all images."""
        self.started["features"] = time.perf_counter()
        for _ in images:
            yield self.features

    def match(
        self, steps: FolderSteps, pairs: Iterable[NamePair], features: ReadFeatures
    ) -> Iterator[Arrays]:
        """Yield the same matches for all pairs, and count which features are read."""
        self.started["matches"] = time.perf_counter()
        kept: dict[str, Arrays] = {}
        for pair in pairs:
            for name in pair:
                if name not in kept:
                    self.reads[name] += 1
                    kept[name] = features(name)
                    if len(kept) > IMAGES_IN_MEMORY:
                        del kept[next(iter(kept))]
                else:
                    kept[name] = kept.pop(name)
            yield self.matches


def peak() -> float:
    """Return the most memory that this process has held so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure_parts(
    matcher: PointLineMatcher, photographs: Path, names: list[str], number: int
) -> tuple[Arrays, Arrays, float, float]:
    """Return features and matches, and the median seconds of an image and of a pair."""
    steps, workers = FolderSteps(matcher, photographs), LocalWorkers()
    seconds: dict[str, list[float]] = {"image": [], "pair": []}
    found = {}
    for name in names[: number + 1]:
        start = time.perf_counter()
        (found[name],) = workers.extract(steps, [(name, 0.0)])
        seconds["image"].append(time.perf_counter() - start)
    for pair in pairwise(names[: number + 1]):
        start = time.perf_counter()
        (matches,) = workers.match(steps, [pair], lambda name: found[name])
        seconds["pair"].append(time.perf_counter() - start)
    medians = (sorted(values)[len(values) // 2] for values in seconds.values())
    return found[pair[0]], matches, *medians


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--match", type=int, default=20)
    parser.add_argument("--keypoints", type=int, default=1024)
    options = parser.parse_args()
    torch.set_num_threads(1)
    matcher = PointLineMatcher.from_pretrained(max_num_keypoints=options.keypoints)
    matcher.view = "none"
    names = list_photographs(options.photographs)
    features, matches, per_image, per_pair = measure_parts(
        matcher, options.photographs, names, options.match
    )
    print("| images | pairs | features, s | matches, s | reads per image | MB on disk | peak MB |")
    print("|---|---|---|---|---|---|---|")
    for images in (options.images // 4, options.images // 2, options.images):
        with tempfile.TemporaryDirectory() as folder:
            photos, output = Path(folder) / "photos", Path(folder) / "output"
            photos.mkdir()
            links = [f"{index:05d}{Path(names[0]).suffix}" for index in range(images)]
            for link in links:
                (photos / link).symlink_to((options.photographs / names[0]).resolve())
            following = max(options.pairs // options.images, 1)
            pairs = [
                (links[index], links[(index + step) % images])
                for index in range(images)
                for step in range(1, following + 1)
            ]
            workers = CopyingWorkers(features, matches)
            export_hloc_folder(matcher, photos, pairs, output, model="copies", workers=workers)
            end = time.perf_counter()
            size = sum(path.stat().st_size for path in output.iterdir()) / 1e6
            print(
                f"| {images} | {len(pairs)} "
                f"| {workers.started['matches'] - workers.started['features']:.1f} "
                f"| {end - workers.started['matches']:.1f} "
                f"| {sum(workers.reads.values()) / images:.2f} | {size:.0f} | {peak():.0f} |",
                flush=True,
            )
    print(
        f"\nOne thread: {per_image:.2f} s an image, {per_pair:.2f} s a pair; "
        f"{options.images} images and {options.pairs} pairs are "
        f"{(options.images * per_image + options.pairs * per_pair) / 3600:.1f} hours of one core."
    )


if __name__ == "__main__":
    main()
