"""What the search for views finds in photographs that have nothing in common.

Usage: ``python docs/measurements/views/unrelated_views.py PHOTOS [--photographs 16]``. Takes
photographs that are not held out, compares each with each of those from another folder, and prints
the log10 of the false alarms of the best map. Those pairs for which most speaks are matched as
``gluestick.match`` does, and it says how many are trusted.
"""

import argparse
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gluestick import match
from gluestick.datasets.holdout import is_held_out
from gluestick.datasets.photographs import list_photographs
from gluestick.features.extractor import FeatureExtractor
from gluestick.images.load import load_image
from gluestick.pipeline import PointLineMatcher
from gluestick.viewpoint.described_views import Described, describe_views
from gluestick.viewpoint.view_search import (
    SearchedImage,
    ViewSearchConfig,
    maps_between,
)

EVERYTHING = ViewSearchConfig(max_false_alarms=np.inf, max_squeezed_false_alarms=np.inf)
TURNS = (0.0, 45.0, 90.0, 135.0, 180.0, -135.0, -90.0, -45.0)
LIMITS = (0, -1, -2, -3, -4, -6, -8, -10)


class Photograph(NamedTuple):
    """A photograph, and what the search describes of it."""

    name: str
    image: Tensor
    searched: SearchedImage
    whole: list[Described]
    small: list[Described]
    squeezed: list[Described]


def describe(extractor: FeatureExtractor, root: Path, name: str) -> Photograph:
    """Read and describe a photograph."""
    image = load_image(root / name)
    searched = SearchedImage(extractor, image, None, EVERYTHING)
    few = partial(describe_views, extractor, max_num_keypoints=EVERYTHING.max_num_keypoints)
    whole = describe_views(
        extractor, searched.whole(), max_num_keypoints=EVERYTHING.max_num_whole_keypoints
    )
    return Photograph(
        name, image, searched, whole, few(searched.small(TURNS)), few(searched.squeezed())
    )


def least_alarms(one: Photograph, other: Photograph) -> dict[str, float]:
    """Return the log10 of the number of false alarms of the best map of each kind."""
    both = one.searched, other.searched
    small = (one.whole, other.small), (one.small, other.whole)
    squeezed = (
        (one.squeezed, other.squeezed),
        (one.whole, other.squeezed),
        (one.squeezed, other.whole),
    )
    found = {
        "small": maps_between(small, both=both, kind="small", config=EVERYTHING),
        "squeezed": maps_between(squeezed, both=both, kind="squeezed", config=EVERYTHING),
    }
    return {
        kind: min((each.log10_false_alarms for each in maps), default=np.inf)
        for kind, maps in found.items()
    }


def measure(root: Path, *, number: int, num_matched: int) -> None:
    """Print what is found."""
    matcher = PointLineMatcher.from_pretrained()
    assert matcher.extractor is not None
    names = [name for name in list_photographs(root) if not is_held_out(name)]
    chosen = np.random.default_rng(0).choice(len(names), size=number, replace=False)
    photographs = [describe(matcher.extractor, root, names[index]) for index in chosen]
    pairs = [
        pair
        for pair in combinations(photographs, 2)
        if Path(pair[0].name).parts[0] != Path(pair[1].name).parts[0]
    ]
    found = [least_alarms(*pair) for pair in pairs]
    print("| comparison | pairs | least | 5% | median | " + " | ".join(map(str, LIMITS)) + " |")
    print("|---" * (5 + len(LIMITS)) + "|")
    for kind in found[0]:
        values = np.array([alarms[kind] for alarms in found])
        quantiles = np.quantile(values, (0, 0.05, 0.5), method="lower")
        below = [int((values < limit).sum()) for limit in LIMITS]
        cells = [kind, len(values), *(f"{value:.1f}" for value in quantiles), *below]
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    order = np.argsort([min(alarms.values()) for alarms in found], kind="stable")
    trusted = 0
    for index in order[:num_matched]:
        one, other = pairs[index]
        result = match(one.image, other.image, model=matcher)
        trusted += result.trusted
        print(f"{one.name} {other.name} {found[index]} {result.log10_false_alarms:.1f}", flush=True)
    print(f"{trusted} of the {min(num_matched, len(pairs))} first pairs trusted")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo_dir", type=Path)
    parser.add_argument("--photographs", type=int, default=16)
    parser.add_argument("--matched", type=int, default=20)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    measure(arguments.photo_dir, number=arguments.photographs, num_matched=arguments.matched)
