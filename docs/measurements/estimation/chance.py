"""How often unrelated pairs are trusted, and how often right models of true pairs are not.

Usage: ``python docs/measurements/estimation/chance.py DATA [--cache output/chance] [--device
cpu]``, where DATA holds ``train/`` (photographs, of which only those held out are used), ``pose/``
and ``depth/`` (posed scenes) and ``homography/``. Half of the photographs and one scene are there
to calibrate, the others to judge; a pair never mixes the halves. A model is right if four fifths of
its point inliers are true: within 5 px of where the true homography maps them, or of their true
epipolar lines. Matches are kept in the cache, so that a second run only estimates.
"""

import argparse
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from stored_matches import MatchStore, StoredMatches
from torch import Tensor

from gluestick.datasets.holdout import is_held_out
from gluestick.datasets.photographs import list_photographs
from gluestick.datasets.posed.posed_pairs import find_image, find_pairs_file, read_posed_pairs
from gluestick.datasets.synthetic_pairs import SyntheticPairsConfig, draw_synthetic_pairs
from gluestick.estimation import TwoViewGeometry, estimate_two_view_geometry
from gluestick.estimation.chance.false_alarms import TRUSTED_BELOW
from gluestick.geometry.epipolar import (
    essential_from_pose,
    fundamental_from_essential,
    symmetric_epipolar_distance,
)
from gluestick.images import load_image
from gluestick.supervision.geometry_metrics import symmetric_homography_error

NUM_KEYPOINTS = 512
TRUE_INLIER = 5.0  # px
RIGHT_SHARE = 0.8

CALIBRATION_SCENE = "strecha_Herz-Jesus-P8"
SAME_SERIES = {
    "exif_samples": "metadata_extractor",
    "v_LePoint1": "LePoint",
    "v_LePoint3": "LePoint",
}
"""Folders that show the same things as others."""

SAME_MAGAZINE = {"LePoint", "v_evd_mag"}

FRAMES_PER_PAIR = 6
"""Pairs of the same two scenes at most, so that those with many frames do not dominate."""

HARD = SyntheticPairsConfig(holdout=True, pairs_per_photograph=2, difficulty=0.95, seed=7)
WARPS = SyntheticPairsConfig(holdout=True, pairs_per_photograph=3)

Half = Literal["calibrated on", "judged on"]


@dataclass(frozen=True, kw_only=True)
class ChancePair:
    """A pair to estimate.

    Attributes:
        name: Names its images.
        group: What it is.
        half: Whether it is there to calibrate or to judge.
        load: Returns both images.
        point_errors: Tells how far matched points are from the truth, px; None without one.
    """

    name: str
    group: str
    half: Half
    load: Callable[[], tuple[Tensor, Tensor]]
    point_errors: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None


def half_of(path: str) -> Half:
    """Return the half of an image: one scene and every other photograph calibrate."""
    if path.startswith("train/"):
        return "calibrated on" if sum(Path(path).name.encode()) % 2 else "judged on"
    return "calibrated on" if CALIBRATION_SCENE in path else "judged on"


def load_files(*paths: Path) -> tuple[Tensor, Tensor]:
    """Load a pair."""
    return load_image(paths[0]), load_image(paths[1])


def unrelated_pairs(root: Path, *, number: int) -> list[ChancePair]:
    """Return pairs of images of different subjects, as many in each half."""
    images = list(_subjects(root))
    rng = np.random.default_rng(0)
    everything = [pair for pair in itertools.combinations(images, 2) if pair[0][1] != pair[1][1]]
    found: dict[Half, list[ChancePair]] = {"calibrated on": [], "judged on": []}
    counts: dict[tuple[str, str], int] = {}
    for index in rng.permutation(len(everything)):
        (first, a), (second, b) = everything[index]
        if counts.get((a, b), 0) >= FRAMES_PER_PAIR and ("strecha" in a + b or "kitchen" in a + b):
            continue
        counts[a, b] = counts.get((a, b), 0) + 1
        if rng.random() < 0.5:
            first, second = second, first
        half = half_of(first)
        if half != half_of(second) or {a, b} == SAME_MAGAZINE or len(found[half]) == number:
            continue
        found[half].append(
            ChancePair(
                name=f"{first}|{second}",
                group="unrelated",
                half=half,
                load=partial(load_files, root / first, root / second),
            )
        )
    return [pair for pairs in found.values() for pair in pairs]


def _subjects(root: Path) -> Iterator[tuple[str, str]]:
    """Yield images, relative to the root, and what they may share with others.

    Photographs of one folder may be of one series, except in a collection of single ones.
    """
    for name in list_photographs(root / "train"):
        if is_held_out(name):
            folder = name.split("/")[0]
            single = name if folder == "imagenet1k" else SAME_SERIES.get(folder, folder)
            yield f"train/{name}", single
    for scene in _posed_scenes(root):
        for path in sorted((scene / "images").iterdir()):
            subject = path.name[:12] if scene.name.startswith("scannet") else scene.name
            yield path.relative_to(root).as_posix(), subject
    for scene in sorted((root / "homography").iterdir()):
        for stem in ("1", "2"):
            yield f"homography/{scene.name}/{stem}.jpg", SAME_SERIES.get(scene.name, scene.name)


def _posed_scenes(root: Path) -> list[Path]:
    return [path for path in [*sorted(root.glob("pose/*")), *root.glob("depth/*")] if path.is_dir()]


def warped_pairs(root: Path, config: SyntheticPairsConfig, *, group: str) -> list[ChancePair]:
    """Return pairs of views of the held-out photographs."""
    return [
        ChancePair(
            name=f"{config.seed} {config.difficulty} {pair.name}",
            group=group,
            half=half_of(f"train/{pair.name.rpartition('#')[0]}"),
            load=pair.load,
            point_errors=partial(symmetric_homography_error, H_0to1=pair.H_0to1),
        )
        for pair in draw_synthetic_pairs(root / "train", config)
    ]


def posed_pairs(root: Path) -> list[ChancePair]:
    """Return the overlapping pairs of the posed scenes."""
    pairs = []
    for scene in _posed_scenes(root):
        path = find_pairs_file(scene)
        for pair in read_posed_pairs(path) if path else ():
            E = essential_from_pose(pair.pose_0to1)
            F = fundamental_from_essential(E, pair.camera0, pair.camera1)
            files = find_image(scene, pair.name0), find_image(scene, pair.name1)
            pairs.append(
                ChancePair(
                    name="|".join(file.relative_to(root).as_posix() for file in files),
                    group=f"overlapping frames, {scene.name}",
                    half=half_of(scene.as_posix()),
                    load=partial(load_files, *files),
                    point_errors=partial(symmetric_epipolar_distance, F=F),
                )
            )
    return pairs


def extreme_pairs(root: Path) -> list[ChancePair]:
    """Return the pairs of extreme viewpoint."""
    pairs = []
    for scene in sorted((root / "homography").glob("v_evd_*")):
        H = np.loadtxt(scene / "H_1_2", dtype=np.float64).reshape(3, 3)
        pairs.append(
            ChancePair(
                name=scene.name,
                group="hard: extreme viewpoint",
                half="judged on",
                load=partial(load_files, scene / "1.jpg", scene / "2.jpg"),
                point_errors=partial(symmetric_homography_error, H_0to1=H),
            )
        )
    return pairs


def is_right(pair: ChancePair, found: TwoViewGeometry, matches: StoredMatches) -> bool:
    """Tell whether four fifths of the inliers of the chosen model are true."""
    inliers = found.point_inliers
    if inliers is None or not inliers.any() or pair.point_errors is None:
        return False
    points = (matches.points0[inliers], matches.points1[inliers])
    errors = pair.point_errors(*(values.astype(np.float64) for values in points))
    return bool((errors < TRUE_INLIER).mean() >= RIGHT_SHARE)


def measure(root: Path, store: MatchStore, *, num_unrelated: int) -> None:
    """Print the table."""
    pairs = [
        *unrelated_pairs(root, number=num_unrelated),
        *warped_pairs(root, WARPS, group="warped photographs"),
        *posed_pairs(root),
        *warped_pairs(root, HARD, group="hard: strongly warped photographs"),
        *extreme_pairs(root),
    ]
    rows: dict[tuple[str, str], list[tuple[float, bool, str | None]]] = {}
    for pair in pairs:
        matches = store.get(pair.name, pair.load, num_keypoints=NUM_KEYPOINTS)
        found = estimate_two_view_geometry(*matches[:4])
        key = pair.half, pair.group
        row = found.log10_false_alarms, is_right(pair, found, matches), found.model
        rows.setdefault(key, []).append(row)
    print(f"Trusted below {TRUSTED_BELOW:g}.\n")
    print(
        "| half | pairs | number | model right | trusted | of the right ones | homographies "
        "| log10 false alarms: least, 1%, median, 99%, largest |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for (half, group), values in sorted(rows.items()):
        alarms = np.array([value[0] for value in values])
        right = np.array([value[1] for value in values])
        planar = np.mean([value[2] == "homography" for value in values])
        trusted = alarms < TRUSTED_BELOW
        kept = f"{trusted[right].mean():.1%}" if right.any() else "-"
        quantiles = np.percentile(alarms, [0, 1, 50, 99, 100], method="nearest")
        print(
            f"| {half} | {group} | {len(values)} | {right.sum()} "
            f"| {trusted.sum()} ({trusted.mean():.1%}) | {kept} | {planar:.0%} "
            f"| {', '.join(f'{value:.1f}' for value in quantiles)} |"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("output/chance"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--unrelated", type=int, default=300, help="pairs in each half")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    measure(
        arguments.data_dir,
        MatchStore(arguments.cache, device=arguments.device),
        num_unrelated=arguments.unrelated,
    )
