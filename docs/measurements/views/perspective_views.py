"""What matching in the view of the homography brings for planes seen with much foreshortening.

Usage: ``python docs/measurements/views/perspective_views.py PHOTOS [--photographs 12]``, or with
``--homography DATA/homography`` for the pairs of extreme viewpoint. Photographs that are not held
out are seen as planes by pinhole cameras (focal length 1.2 times the width), in front of other
photographs, with changes of light. ``moderate`` and ``both``: both images are tilted, across each
other, so that tilts multiply to 4 to 9, or 8 to 20; ``detail``: image 0 is a detail, 2 to 4 times
as close, and image 1 tilted by 3 to 9. Each pair is matched in affine views alone and as by
default; with ``--true-views`` in the views that the true homography calls for. Corner errors, px,
the log10 of the number of false alarms, and matches; then AUC@1/3/5/10 px and the processor's
seconds (medians).
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gluestick import match
from gluestick.benchmarks.tasks.planar.homography import EXTREME_PREFIX, HomographyBenchmark
from gluestick.datasets.holdout import is_held_out
from gluestick.datasets.hpatches import ScenePair
from gluestick.datasets.photographs import list_photographs, load_photograph
from gluestick.datasets.photometric import sample_photometric_change
from gluestick.geometry.affine import as_rows
from gluestick.geometry.homography import homography_corner_error
from gluestick.images.perspective_warp import warp_in_perspective, warp_mask_in_perspective
from gluestick.match_images import pair_matches
from gluestick.pair_geometry import estimate_geometry
from gluestick.pipeline import PointLineMatcher
from gluestick.supervision.geometry_metrics import error_auc
from gluestick.types import ViewFrame
from gluestick.viewpoint.projective_view import projective_frames

IMAGE_SIZE = (640, 480)
CENTRE = (np.array(IMAGE_SIZE) - 1) / 2
FOCAL_LENGTH = 1.2 * IMAGE_SIZE[0]
KINDS = {"moderate": (4, 9), "both": (8, 20), "detail": (3, 9)}
THRESHOLDS = (1, 3, 5, 10)


class PlanePair(NamedTuple):
    """Two images of a plane, and the homography between them."""

    name: str
    image0: Tensor
    image1: Tensor
    H_0to1: np.ndarray


def seen_from(tilt: float, azimuth: float, zoom: float, middle: np.ndarray) -> np.ndarray:
    """Return how a camera that is turned to a place of a photograph sees its px, [3, 3]."""
    angle = np.arccos(1 / tilt)
    side = np.array([np.cos(azimuth), np.sin(azimuth), 0]) * np.sin(angle)
    forward = np.array([0, 0, 1]) * np.cos(angle) - side
    right = np.cross(np.array([0.0, 1, 0]), forward)
    right /= np.linalg.norm(right)
    R = np.stack([right, np.cross(forward, right), forward])
    t = R @ forward * FOCAL_LENGTH / zoom
    K = np.array([[FOCAL_LENGTH, 0, CENTRE[0]], [0, FOCAL_LENGTH, CENTRE[1]], [0, 0, 1]])
    to_middle = np.array([[1, 0, -middle[0]], [0, 1, -middle[1]], [0, 0, 1]])
    return K @ np.column_stack([R[:, :2], t]) @ to_middle


def draw_cameras(rng: np.random.Generator, kind: str) -> list[np.ndarray]:
    """Draw how both cameras see px of the photograph."""
    tilt = np.exp(rng.uniform(*np.log(KINDS[kind])))
    azimuth = rng.uniform(0, 2 * np.pi)
    if kind == "detail":
        zoom = np.exp(rng.uniform(*np.log((2, 4))))
        middle = CENTRE + rng.uniform(-0.8, 0.8, 2) * CENTRE * (1 - 1 / zoom)
        close = seen_from(rng.uniform(1.01, 1.4), rng.uniform(0, 2 * np.pi), zoom, middle)
        return [close, seen_from(tilt, azimuth, tilt**0.2, CENTRE)]
    first = np.sqrt(tilt) * np.exp(rng.uniform(-0.3, 0.3))
    across = azimuth + np.pi / 2 + np.radians(rng.uniform(-20, 20))
    zooms = np.exp(rng.uniform(*np.log((0.8, 1.3)), 2))
    return [
        seen_from(each, angle, zoom * each**0.3, CENTRE)
        for each, angle, zoom in zip((first, tilt / first), (azimuth, across), zooms, strict=True)
    ]


def draw_pairs(root: Path, kind: str, *, number: int) -> Iterator[PlanePair]:
    """Draw pairs of photographs that are not held out."""
    names = [name for name in list_photographs(root) if not is_held_out(name)]
    chosen = np.random.default_rng(1).choice(len(names), size=3 * number, replace=False)
    for place, index in enumerate(chosen[:number]):
        rng = np.random.default_rng([0, int(index), len(kind)])
        maps = draw_cameras(rng, kind)
        photograph = load_photograph(root / names[index], image_size=IMAGE_SIZE, max_detail=4)
        images = []
        for side, H in enumerate(maps):
            behind = names[chosen[number + 2 * place + side]]
            shown = rendered(photograph, H, load_photograph(root / behind, image_size=IMAGE_SIZE))
            changed = sample_photometric_change(rng, probability=0.5).apply(shown)
            images.append(as_tensor(changed))
        yield PlanePair(names[index], *images, maps[1] @ np.linalg.inv(maps[0]))


def rendered(photograph: np.ndarray, H: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """Return a plane as a camera sees it, in front of another photograph, [H, W, 3] uint8."""
    scale = photograph.shape[1] / IMAGE_SIZE[0]
    finer = np.array([[1 / scale, 0, (1 / scale - 1) / 2], [0, 1 / scale, (1 / scale - 1) / 2]])
    seen = H @ np.vstack([finer, [0, 0, 1]])
    middle = np.linalg.solve(seen, [*CENTRE, 1])
    seen /= seen[2] @ (middle / middle[2])
    frame = ViewFrame(
        affine=as_rows(seen[:2]), size=IMAGE_SIZE, perspective=tuple(seen[2].tolist())
    )
    image = as_tensor(photograph)
    inside = warp_mask_in_perspective(None, frame, like=image).numpy()[..., None]
    shown = (warp_in_perspective(image, frame) * 255).byte().permute(1, 2, 0).numpy()
    return np.where(inside, shown, behind)


def as_tensor(image: np.ndarray) -> Tensor:
    """[H, W, 3] uint8 to [3, H, W] float32 in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float() / 255


def extreme_pairs(root: Path) -> Iterator[PlanePair]:
    """Return the pairs of extreme viewpoint as the benchmark matches them."""
    benchmark = HomographyBenchmark(root)
    short_side = benchmark.config.short_side
    assert short_side is not None
    for pair in benchmark.pairs():
        stored: ScenePair = pair.truth
        if stored.scene.name.startswith(EXTREME_PREFIX):
            images = benchmark.load(pair)
            sizes = {
                f"image_size{side}": np.array([image.shape[2], image.shape[1]])
                for side, image in enumerate(images)
            }
            truth = benchmark.resized_truth(pair, sizes)
            yield PlanePair(pair.name.removeprefix(EXTREME_PREFIX), *images, truth)


def measure(matcher: PointLineMatcher, kind: str, pairs: Iterator[PlanePair]) -> None:
    """Print what is found in affine views alone, and as by default."""
    default = matcher.matched_view
    options = (replace(default, min_foreshortening=np.inf), default)
    errors: list[list[float]] = [[], []]
    seconds: list[list[float]] = [[], []]
    print(f"| {kind} | affine views: error, false alarms, points, lines | default |\n|---|---|---|")
    for name, image0, image1, H in pairs:
        size = image0.shape[2], image0.shape[1]
        cells = [name]
        for column, option in enumerate(options):
            matcher.matched_view = option
            start = time.process_time()
            found = match(image0, image1, model=matcher, geometry="homography")
            seconds[column].append(time.process_time() - start)
            error = np.inf
            if found.H_0to1 is not None:
                error = float(homography_corner_error(found.H_0to1, H, image_size=size))
            errors[column].append(error)
            counts = len(found.points0), len(found.lines0)
            cells.append(f"{error:.2f}, {found.log10_false_alarms:.0f}, {counts[0]}, {counts[1]}")
        print("| " + " | ".join(cells) + " |", flush=True)
    for column, name in enumerate(("affine", "default")):
        values = np.array(errors[column])
        areas = " / ".join(f"{100 * area:.1f}" for area in error_auc(values, THRESHOLDS))
        below = f"{(values < 5).sum()} and {(values < 10).sum()} of {len(values)} under 5 and 10 px"
        print(f"{kind}, {name}: {areas}; {below}; {np.median(seconds[column]):.1f} s", flush=True)


def measure_true_views(matcher: PointLineMatcher, pairs: Iterator[PlanePair]) -> None:
    """Print what is found in the views that the true homography calls for."""
    print("| pair | error | false alarms | points | lines |\n|---|---|---|---|---|")
    errors = []
    for name, image0, image1, H in pairs:
        size0, size1 = ((image.shape[2], image.shape[1]) for image in (image0, image1))
        oriented = H * np.sign(np.linalg.det(H))
        frames = projective_frames(oriented, size0=size0, size1=size1, min_foreshortening=1.0)
        assert frames is not None
        wireframes = [
            matcher.extract(image, views=[frame])
            for image, frame in zip((image0, image1), frames, strict=True)
        ]
        pair = pair_matches(*wireframes, matcher.match(*wireframes))
        found = estimate_geometry(pair, geometry="homography")
        error = np.inf
        if found.H_0to1 is not None:
            error = float(homography_corner_error(found.H_0to1, H, image_size=size0))
        errors.append(error)
        counts = f"{len(pair.points0)} | {len(pair.lines0)}"
        print(f"| {name} | {error:.1f} | {found.log10_false_alarms:.0f} | {counts} |", flush=True)
    areas = error_auc(np.array(errors), THRESHOLDS)
    print(" / ".join(f"{100 * area:.1f}" for area in areas), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo_dir", type=Path)
    parser.add_argument("--photographs", type=int, default=12)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS))
    parser.add_argument("--homography", type=Path)
    parser.add_argument("--true-views", action="store_true")
    parser.add_argument("--keypoints", type=int, default=1024)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    chosen_model = PointLineMatcher.from_pretrained(max_num_keypoints=arguments.keypoints)
    if arguments.true_views:
        measure_true_views(chosen_model, extreme_pairs(arguments.homography))
    elif arguments.homography is not None:
        measure(chosen_model, "extreme", extreme_pairs(arguments.homography))
    else:
        for each in arguments.kinds:
            drawn = draw_pairs(arguments.photo_dir, each, number=arguments.photographs)
            measure(chosen_model, each, drawn)
