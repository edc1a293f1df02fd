"""What the matches of several views of a pair bring, united, against those of one.

Usage: ``python docs/measurements/views/several_planes.py DATA [--num-pairs 20]``, with the data of
``gluestick benchmark pose``. A pair is matched as it is by default. Affine maps are fitted to its
points, each to those that follow no earlier one; in the views that each calls for the pair is
matched once more, and of the points that follow the map there are added, the surest first, those
that lie apart in both images from what was matched before. Beside it: twice as many keypoints, in
one view. A match is right if it is near the true epipolar lines, a 200th of the focal length at
most. Matches are means, seconds are medians, of the processor.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from gluestick.benchmarks.run.predict import prediction_arrays
from gluestick.benchmarks.run.runner import select_pairs
from gluestick.benchmarks.tasks.posed.opencv_pose import normalized
from gluestick.benchmarks.tasks.posed.pose import PoseBenchmark
from gluestick.benchmarks.tasks.predicted_matches import matched_points
from gluestick.benchmarks.tasks.protocol import Prediction, Scores
from gluestick.datasets.posed.posed_pairs import PosedPair
from gluestick.geometry.affine import apply, inverse, stretch
from gluestick.geometry.epipolar import essential_from_pose, symmetric_epipolar_distance
from gluestick.pipeline import PointLineMatcher
from gluestick.types import Wireframe
from gluestick.viewpoint.affine_evidence import AffineEvidence, fit_affine
from gluestick.viewpoint.attempts import Frames
from gluestick.viewpoint.shared_view import seen_affine, shared_frames

MAX_ERROR = 0.02
"""How far the matches of a plane may be from its map, as a share of the longer side."""

MAX_AGREEING_ERROR = 0.05
"""The same for what is added."""

MAX_FALSE_ALARMS = -6.0
MAX_PLANES = 4
MIN_CHANGE = 1.25
"""By which factor of size or which tilt views must differ."""

RADIUS = 1.5
"""Nearer than this, px, points are one."""

RIGHT = 0.005
"""How far right matches are from the true epipolar lines, in coordinates divided by K."""


class Sides(NamedTuple):
    """What was found in both images, and their sizes (width, height) px."""

    wireframe0: Wireframe
    wireframe1: Wireframe
    size0: tuple[int, int]
    size1: tuple[int, int]


class Measured(NamedTuple):
    """A pair matched in one of the ways: its scores, its right matches, its seconds."""

    scores: Scores
    num_right: int
    seconds: float


def planes(points0: np.ndarray, points1: np.ndarray, sides: Sides) -> Iterator[AffineEvidence]:
    """Yield the maps of the planes of a pair, by its matches [S, 2] px, the clearest first."""
    rest = np.arange(len(points0))
    for _ in range(MAX_PLANES):
        evidence = fit_affine(
            points0[rest],
            points1[rest],
            size0=sides.size0,
            size1=sides.size1,
            max_error=MAX_ERROR,
            num_tests=MAX_PLANES,
        )
        if evidence is None or evidence.log10_false_alarms >= MAX_FALSE_ALARMS:
            return
        yield evidence
        rest = rest[~evidence.inliers]


def frames_called_for(affine: np.ndarray, sides: Sides) -> Frames | None:
    """Return the views in which a plane looks alike; None where it does so already."""
    scale, tilt = stretch(seen_affine(affine, sides.wireframe0, sides.wireframe1))
    if max(scale, 1 / scale) < MIN_CHANGE and tilt < MIN_CHANGE:
        return None
    return shared_frames(affine, size0=sides.size0, size1=sides.size1)


def united(first: Prediction, further: Prediction, affine: np.ndarray) -> Prediction:
    """Add to the matches of one view those of another one that follow its map."""
    points0, points1 = matched_points(further)
    scores = further["matching_scores0"][further["matches0"] > -1]
    limit0, limit1 = (MAX_AGREEING_ERROR * further[f"image_size{side}"].max() for side in (0, 1))
    agrees = np.linalg.norm(apply(inverse(affine), points1) - points0, axis=1) < limit0
    agrees &= np.linalg.norm(apply(affine, points0) - points1, axis=1) < limit1
    order = np.flatnonzero(agrees)[np.argsort(-scores[agrees], kind="stable")]
    for points, known in zip((points0, points1), matched_points(first), strict=True):
        order = order[apart(points[order], known)]
    added = len(first["keypoints1"]) + np.arange(len(order))
    return first | {
        "keypoints0": np.concatenate([first["keypoints0"], points0[order]]),
        "keypoints1": np.concatenate([first["keypoints1"], points1[order]]),
        "matches0": np.concatenate([first["matches0"], added]),
    }


def apart(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Tell which points [M, 2] px are none of the others, nor of those before them, [M] bool."""
    kept = np.ones(len(points), dtype=bool)
    if len(others):
        kept = cKDTree(others).query(points)[0] > RADIUS
    for earlier, later in sorted(cKDTree(points).query_pairs(RADIUS)):
        kept[later] &= not kept[earlier]
    return kept


class Matchers:
    """Matches a pair in one view, in several, and in one with twice as many keypoints."""

    def __init__(self, *, max_num_keypoints: int) -> None:
        self.one = PointLineMatcher.from_pretrained(max_num_keypoints=max_num_keypoints)
        self.double = PointLineMatcher.from_pretrained(max_num_keypoints=2 * max_num_keypoints)

    def __call__(self, images: tuple[Tensor, Tensor]) -> dict[str, tuple[Prediction, float]]:
        """Return the prediction of each way, and its seconds."""
        start = time.process_time()
        found = self.one(*images)
        first = prediction_arrays(*found)
        one_view = time.process_time()
        several = self.in_further_views(first, Sides(*found[:2], *map(size_of, images)), images)
        all_views = time.process_time()
        double = prediction_arrays(*self.double(*images))
        return {
            "one view": (first, one_view - start),
            "several views": (several, all_views - start),
            "twice the keypoints": (double, time.process_time() - all_views),
        }

    def in_further_views(
        self, first: Prediction, sides: Sides, images: tuple[Tensor, Tensor]
    ) -> Prediction:
        """Match a pair again in the views of its planes, and unite what is found."""
        points0, points1 = (points.astype(np.float64) for points in matched_points(first))
        prediction = first
        for evidence in planes(points0, points1, sides):
            frames = frames_called_for(evidence.affine, sides)
            if frames is None:
                continue
            wireframes = [
                self.one.extract(image, views=[frame])
                for image, frame in zip(images, frames, strict=True)
            ]
            further = prediction_arrays(*wireframes, self.one.match(*wireframes))
            prediction = united(prediction, further, evidence.affine)
        return prediction


def size_of(image: Tensor) -> tuple[int, int]:
    """Return (width, height) px of an image [3, H, W]."""
    return image.shape[2], image.shape[1]


def num_right(pair: PosedPair, prediction: Prediction) -> int:
    """Return how many matches are right."""
    points0, points1 = matched_points(prediction)
    distances = symmetric_epipolar_distance(
        normalized(points0, pair.camera0),
        normalized(points1, pair.camera1),
        essential_from_pose(pair.pose_0to1),
    )
    return int((distances < RIGHT).sum())


def row(name: str, benchmark: PoseBenchmark, measured: list[Measured]) -> str:
    """Return a row of the table."""
    figures = benchmark.summarize([each.scores for each in measured])
    areas = " / ".join(f"{100 * figures[f'poselib/auc@{limit}']:.1f}" for limit in (5, 10, 20))
    right = np.mean([each.num_right for each in measured])
    seconds = np.median([each.seconds for each in measured])
    return (
        f"| {name} | {len(measured)} | {areas} | {figures['num_matches']:.0f} | {right:.0f} "
        f"| {right / figures['num_matches']:.1%} | {seconds:.1f} |"
    )


def main() -> None:
    """Match all pairs in all ways, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--num-pairs", type=int, default=None)
    parser.add_argument("--max-num-keypoints", type=int, default=1024)
    options = parser.parse_args()
    torch.set_num_threads(1)
    benchmark = PoseBenchmark(options.data_dir)
    matchers = Matchers(max_num_keypoints=options.max_num_keypoints)
    measured: dict[str, list[Measured]] = {}
    for pair in select_pairs(benchmark.pairs(), num_pairs=options.num_pairs):
        for name, (prediction, seconds) in matchers(benchmark.load(pair)).items():
            right = num_right(pair.truth.pair, prediction)
            each = Measured(benchmark.score(pair, prediction), right, seconds)
            measured.setdefault(name, []).append(each)
    print("| | pairs | AUC@5/10/20 degrees | matches | right | precision | s |")
    print("|---|---|---|---|---|---|---|")
    for name, pairs in measured.items():
        print(row(name, benchmark, pairs))


if __name__ == "__main__":
    main()
