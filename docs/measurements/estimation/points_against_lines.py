"""Homographies from points, from lines and from both, where the truth is known.

Usage: ``python docs/measurements/estimation/points_against_lines.py DATA [--cache
output/homographies] [--device cpu] [--pairs 402]``, where DATA holds ``train/`` (photographs, of
which only those held out are used) and ``homography/`` (the layout of HPatches). The first table
has the areas under the curve of corner errors at 1, 3 and 5 px, and how many pairs have a corner
error more than a fifth larger or smaller with both kinds than with points; the second has mean
errors over image 0 in px. Matches are kept in the cache, so that a second run only estimates.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from stored_matches import MatchStore, StoredMatches
from torch import Tensor

from gluestick.benchmarks.run.runner import evenly_spread
from gluestick.benchmarks.tasks.planar.homography import EXTREME_PREFIX
from gluestick.datasets.hpatches import ScenePair, list_scene_pairs
from gluestick.datasets.synthetic_pairs import SyntheticPairsConfig, draw_synthetic_pairs
from gluestick.estimation import estimate_homography
from gluestick.geometry.homography import homography_corner_error, transform_points
from gluestick.images import ResizeConfig, load_image, resize_image
from gluestick.supervision.geometry_metrics import error_auc

KEYPOINTS = (512, 1024, 2048)
AUC_THRESHOLDS = (1, 3, 5)  # px
A_FIFTH = 1.2
ASSETS = Path("assets")
NEGATIVE_CORNERS = np.array([[0.02, -0.03], [-0.03, 0.01], [0.01, 0.03], [-0.02, -0.02]])
"""How far the corners of a negative are moved, relative to the size of the image."""

KINDS = ("points", "lines", "both")


@dataclass(frozen=True, kw_only=True)
class PlanarPair:
    """A pair with a known homography.

    Attributes:
        name: Names its images.
        load: Returns both images.
        H_0to1: [3, 3] px.
    """

    name: str
    load: Callable[[], tuple[Tensor, Tensor]]
    H_0to1: np.ndarray


def synthetic_set(root: Path, *, num_pairs: int) -> list[PlanarPair]:
    """Return views of the held-out photographs."""
    config = SyntheticPairsConfig(holdout=True, pairs_per_photograph=3)
    pairs = draw_synthetic_pairs(root / "train", config)
    return [
        PlanarPair(name=f"{config.seed} {config.difficulty} {pair.name}", load=pair.load, H_0to1=H)
        for pair in evenly_spread(pairs, number=num_pairs)
        for H in [pair.H_0to1]
    ]


def homography_set(root: Path, *, short_side: int | None) -> list[PlanarPair]:
    """Return the pairs of the benchmark ``homography`` but those of extreme viewpoint."""
    resize = ResizeConfig(size=short_side, side="short", upscale=True)

    def resized(pair: ScenePair) -> list[tuple[Tensor, Tensor]]:
        return [resize_image(load_image(path), config=resize) for path in pair.files()]

    def load(pair: ScenePair) -> tuple[Tensor, Tensor]:
        (image0, _), (image1, _) = resized(pair)
        return image0, image1

    pairs = []
    for pair in list_scene_pairs(root / "homography"):
        if pair.name.startswith(EXTREME_PREFIX):
            continue
        scales = []
        for _, scale in resized(pair):
            x, y = scale.double().tolist()
            scales.append(np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]]))
        pairs.append(
            PlanarPair(
                name=f"{pair.name} {short_side}",
                load=partial(load, pair),
                H_0to1=scales[1] @ pair.H_0to1 @ np.linalg.inv(scales[0]),
            )
        )
    return pairs


def demo_pair() -> PlanarPair:
    """Return the pair graffiti of the demo."""
    files = ASSETS / "graffiti_a.jpg", ASSETS / "graffiti_b.jpg"
    return PlanarPair(
        name="graffiti",
        load=lambda: (load_image(files[0]), load_image(files[1])),
        H_0to1=np.loadtxt(ASSETS / "graffiti_H_a_to_b.txt"),
    )


def negative_pair(path: Path) -> PlanarPair:
    """Return a photograph and its negative under a homography."""
    height, width = load_image(path).shape[1:]
    size = np.array([width, height])
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * (size - 1.0)
    moved = corners + NEGATIVE_CORNERS * size
    H = cv2.getPerspectiveTransform(corners.astype(np.float32), moved.astype(np.float32))

    def load() -> tuple[Tensor, Tensor]:
        image = load_image(path)
        pixels = (image.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        warped = 255 - cv2.warpPerspective(pixels, H, (width, height))
        return image, torch.from_numpy(warped).permute(2, 0, 1).float() / 255

    return PlanarPair(name=f"negative of {path.stem}", load=load, H_0to1=H)


def estimates(matches: StoredMatches) -> Iterator[np.ndarray | None]:
    """Estimate the homography from points, from lines and from both."""
    points, lines = matches[:2], matches[2:4]
    none = np.zeros((0, 2)), np.zeros((0, 2))
    for arrays in ((*points,), (*none, *lines), (*points, *lines)):
        found = estimate_homography(*arrays)
        yield None if found is None else found.H_0to1


def corner_errors(pair: PlanarPair, matches: StoredMatches) -> list[float]:
    """Return the mean errors of the corners of image 0 for the three kinds, px."""
    width, height = matches.image_sizes[0]
    return [
        np.inf
        if H is None
        else float(homography_corner_error(H, pair.H_0to1, image_size=(width, height)))
        for H in estimates(matches)
    ]


def mean_errors(pair: PlanarPair, matches: StoredMatches) -> list[float]:
    """Return the mean errors over image 0 for the three kinds, px."""
    axes = (np.linspace(0, size - 1, 20) for size in matches.image_sizes[0])
    grid = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    true = transform_points(pair.H_0to1, grid)
    return [
        np.inf
        if H is None
        else float(np.linalg.norm(transform_points(H, grid) - true, axis=1).mean())
        for H in estimates(matches)
    ]


def print_areas(root: Path, store: MatchStore, *, num_pairs: int) -> None:
    """Print the areas under the curves."""
    print("| pairs | keypoints | points | lines | both | worse by a fifth | better by a fifth |")
    print("|---|---|---|---|---|---|---|")
    sets = {
        "synthetic": synthetic_set(root, num_pairs=num_pairs),
        "homography, 480 px": homography_set(root, short_side=480),
        "homography, as they are": homography_set(root, short_side=None),
    }
    for label, pairs in sets.items():
        for keypoints in KEYPOINTS:
            errors = np.array(
                [
                    corner_errors(pair, store.get(pair.name, pair.load, num_keypoints=keypoints))
                    for pair in pairs
                ]
            )
            areas = (
                " / ".join(f"{100 * area:.1f}" for area in error_auc(column, AUC_THRESHOLDS))
                for column in errors.T
            )
            points, both = errors[:, 0], errors[:, 2]
            worse, better = (both > A_FIFTH * points).mean(), (A_FIFTH * both < points).mean()
            print(
                f"| {label} ({len(pairs)}) | {keypoints} | {' | '.join(areas)} "
                f"| {worse:.1%} | {better:.1%} |",
                flush=True,
            )


def print_examples(root: Path, store: MatchStore) -> None:
    """Print the examples in which one kind is biased."""
    negatives = [negative_pair(ASSETS / f"{name}_a.jpg") for name in ("graffiti", "leuven")]
    graf = [
        pair for pair in homography_set(root, short_side=None) if pair.name.startswith("v_graf")
    ]
    print("\n| pair | keypoints | points | lines | both |")
    print("|---|---|---|---|---|")
    for pair in (demo_pair(), *negatives, *graf):
        for keypoints in (*KEYPOINTS, 4096) if pair.name == "graffiti" else KEYPOINTS:
            matches = store.get(pair.name, pair.load, num_keypoints=keypoints)
            cells = " | ".join(f"{error:.2f}" for error in mean_errors(pair, matches))
            print(f"| {pair.name.removesuffix(' None')} | {keypoints} | {cells} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("output/homographies"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--pairs", type=int, default=402, help="synthetic pairs")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    matches = MatchStore(arguments.cache, device=arguments.device)
    print_areas(arguments.data_dir, matches, num_pairs=arguments.pairs)
    print_examples(arguments.data_dir, matches)
