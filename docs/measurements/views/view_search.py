"""How often the search for views is right, what it finds in unrelated pairs, and what it costs.

Usage: ``python docs/measurements/views/view_search.py PHOTOS [--photographs 20] [--threads 1]``.
Takes photographs that are not held out, each against a detail of itself, against itself squeezed,
against a detail where that or the whole is squeezed, and squeezed against itself squeezed across
that direction, with changes of light; and against the next photograph. A map is right if it
differs from the truth by less than a factor of 1.5 in size and of 1.8 in tilt. Seconds are medians,
of the processor and on the clock. ``--size`` is that of what the search squeezes, px; with
``--device cuda`` the detector runs there.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from gluestick.datasets.holdout import is_held_out
from gluestick.datasets.photographs import list_photographs
from gluestick.datasets.photometric import sample_photometric_change
from gluestick.datasets.synthetic_pairs import SyntheticPair, SyntheticView
from gluestick.datasets.zooms_and_tilts import draw_tilt, draw_zoom
from gluestick.features.extractor import FeatureExtractor
from gluestick.features.image_batch import ImageBatch
from gluestick.geometry.affine import compose, inverse, stretch
from gluestick.viewpoint.view_search import ViewSearchConfig, search_views

IMAGE_SIZE = (640, 480)
MAX_TURN = 20.0
SCALE, TILT = 1.5, 1.8


class Case(NamedTuple):
    """How both images of a pair differ."""

    name: str
    zoom: float = 1.0
    tilt: float = 1.0
    squeezed_detail: bool = False
    squeezed_whole: bool = False
    related: bool = True


CASES = (
    Case("zoom 5", 5),
    Case("zoom 8", 8),
    Case("tilt 4", 1, 4),
    Case("tilt 6", 1, 6),
    Case("zoom 3, tilt 3", 3, 3),
    Case("zoom 3, its detail tilted 3", 3, 3, squeezed_detail=True),
    Case("zoom 5, tilt 3", 5, 3),
    Case("zoom 5, its detail tilted 3", 5, 3, squeezed_detail=True),
    Case("zoom 7, its detail tilted 3", 7, 3, squeezed_detail=True),
    Case("both tilted 3", 1, 3, squeezed_detail=True, squeezed_whole=True),
    Case("unrelated", 2, related=False),
)


def draw_pairs(root: Path, case: Case, *, number: int) -> Iterator[SyntheticPair]:
    """Draw pairs of photographs that are not held out, the same ones for each case."""
    names = [name for name in list_photographs(root) if not is_held_out(name)]
    chosen = np.random.default_rng(0).choice(len(names), size=number, replace=False)
    for index in chosen:
        rng = np.random.default_rng([0, int(index)])
        window, whole = draw_zoom(rng, image_size=IMAGE_SIZE, zoom=case.zoom, max_turn=MAX_TURN)
        _, squeezed = draw_tilt(rng, image_size=IMAGE_SIZE, tilt=case.tilt)
        if case.squeezed_whole:
            whole = squeezed_across(squeezed, tilt=case.tilt)
        maps = (squeezed @ window, whole) if case.squeezed_detail else (window, squeezed)
        view0, view1 = (
            SyntheticView(H=H, change=sample_photometric_change(rng, probability=0.75))
            for H in maps
        )
        yield SyntheticPair(
            path=root / names[index],
            name=names[index],
            image_size=IMAGE_SIZE,
            views=(view0, view1),
            zoom=case.zoom,
            tilt=case.tilt,
        )


def squeezed_across(squeezed: np.ndarray, *, tilt: float) -> np.ndarray:
    """Return what squeezes [3, 3] the other direction than a map about the centre does."""
    x, y = (np.array(IMAGE_SIZE) - 1) / 2 * (1 - 1 / tilt)
    shrunk = np.array([[1 / tilt, 0, x], [0, 1 / tilt, y], [0, 0, 1]])
    return shrunk @ np.linalg.inv(squeezed)


def is_right(affine: np.ndarray, pair: SyntheticPair) -> bool:
    """Tell whether a map is near that of the pair, which is affine."""
    scale, tilt = stretch(compose(inverse(pair.H_0to1[:2]), affine))
    return max(scale, 1 / scale) < SCALE and tilt < TILT


def measure_case(
    extractor: FeatureExtractor, root: Path, case: Case, *, number: int, config: ViewSearchConfig
) -> str:
    """Search all pairs of a case and return its row of the table."""
    pairs = list(draw_pairs(root, case, number=number))
    best, among, counts, alarms, seconds = [], [], [], [], []
    for pair, other in zip(pairs, [*pairs[1:], pairs[0]], strict=True):
        image0 = (pair if case.related else other).load()[0]
        batches = ImageBatch(images=[image0]), ImageBatch(images=[pair.load()[1]])
        start = time.process_time(), time.perf_counter()
        found = search_views(extractor, *batches, config=config)
        seconds.append((time.process_time() - start[0], time.perf_counter() - start[1]))
        right = [case.related and is_right(evidence.affine, pair) for evidence in found]
        best.append(any(right[:1]))
        among.append(any(right))
        counts.append(len(found))
        alarms += [evidence.log10_false_alarms for evidence in found[:1]]
    least = f"{np.median(alarms):.1f}" if alarms else "-"
    processor, clock = np.median(seconds, axis=0)
    return (
        f"| {case.name} | {len(pairs)} | {np.mean(best):.0%} | {np.mean(among):.0%} "
        f"| {np.mean(counts):.1f} | {least} | {processor:.2f} | {clock:.2f} |"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo_dir", type=Path)
    parser.add_argument("--photographs", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--size", type=int, default=ViewSearchConfig().size)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--cases", nargs="*", default=[case.name for case in CASES])
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print("| pairs | number | best right | one right | found | log10 false alarms | s | clock |")
    print("|---|---|---|---|---|---|---|---|")
    detector = FeatureExtractor().to(arguments.device)
    search = ViewSearchConfig(size=arguments.size)
    for each in CASES:
        if each.name in arguments.cases:
            row = measure_case(
                detector,
                arguments.photo_dir,
                each,
                number=arguments.photographs,
                config=search,
            )
            print(row, flush=True)
