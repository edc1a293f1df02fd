"""How many lines a line map has and how exact they are, with surveyed poses and calibrations.

Usage: ``python docs/measurements/reconstruction/line_map.py SCENE [SCENE ...] --output DIR``.
Each SCENE holds ``images/``, ``cameras.json`` and maybe ``depths/``. All pairs are matched, where
there are depths those of ``pairs_with_gt.txt``, and what DIR holds is not computed again.

For "left out" the map is made once for each photograph without it, and each line is projected
into it and compared with the segment there that most of the track's segments, at least two, are
matched with: the mean distance of that segment's ends from the projected line, and the angle
between both. Whether that match is right nobody knows; wrong ones are far away. "Depth" is
the median over points along a line, in the photographs that see it, of how far their depth is
from the depths measured within 3 px there, as a share of it.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import maximum_filter, minimum_filter

from gluestick.catalog import load_matcher
from gluestick.datasets.posed.posed_pairs import read_posed_pairs
from gluestick.export import FeaturesReader, MatchesReader
from gluestick.export.hloc_folder import export_hloc_folder
from gluestick.geometry.lines import line_lengths, line_normals
from gluestick.geometry.projection import project_points
from gluestick.reconstruction.lines import (
    LineMap,
    LineMapConfig,
    LineMatches,
    LineView,
    make_line_map,
)
from gluestick.reconstruction.lines.stored import line_matches
from gluestick.types import Camera, Pose

SAMPLES = np.linspace(0.1, 0.9, 9)
REACH = 3


@dataclass(frozen=True)
class Scene:
    """Views, matches of their lines, and depth maps [H, W] m by name, NaN where unknown."""

    name: str
    views: list[LineView]
    matches: list[LineMatches]
    depths: dict[str, np.ndarray]


def read_scene(folder: Path, output: Path, matcher: str) -> Scene:
    """Find and match lines in a scene, unless they are there."""
    entries = json.loads((folder / "cameras.json").read_text())
    names = sorted(entries)
    depths = {name: read_depth(folder, name) for name in names if (folder / "depths").is_dir()}
    pairs = list(combinations(names, 2))
    if depths:
        pairs = [
            (each.name0, each.name1) for each in read_posed_pairs(folder / "pairs_with_gt.txt")
        ]
    place = output / folder.name / matcher
    files = export_hloc_folder(
        load_matcher(matcher), folder / "images", pairs, place, model=matcher
    )
    with FeaturesReader(files.features) as features, MatchesReader(files.matches) as matches:
        views = []
        for name in names:
            R, t = (np.array(entries[name][f"{key}_cam_from_world"]) for key in "Rt")
            U, _, V = np.linalg.svd(R)
            own = features.read(name)
            camera = Camera(K=np.array(entries[name]["K"]))
            pixel = 1 / float(own.get("resize_scale", 1.0))
            pose = Pose(R=U @ V, t=t)
            views.append(LineView.from_camera(name, camera, pose, own["lines"], pixel=pixel))
        return Scene(folder.name, views, line_matches(views, matches, pairs), depths)


def read_depth(folder: Path, name: str) -> np.ndarray:
    """Return a depth map, m, NaN where unknown."""
    with Image.open(folder / "depths" / Path(name).with_suffix(".png")) as opened:
        depth = np.asarray(opened).astype(np.float64) / 1000
    return np.where(depth > 0, depth, np.nan)


Maker = Callable[[Scene], LineMap]


def left_out_errors(scene: Scene, make: Maker) -> np.ndarray:
    """Return distances, px, and angles, degrees, of lines in photographs left out, [N, 2]."""
    errors = [np.zeros((0, 2))]
    for number, view in enumerate(scene.views):
        within = [each for each in scene.matches if number not in (each.view0, each.view1)]
        lines = make(replace(scene, matches=within))
        partners = segments_in(scene, number, lines)
        rows = np.array(sorted(partners), np.int64)
        if not len(rows):
            continue
        seen = view.lines[[partners[row] for row in rows]]
        projected, depths = project_points(lines.segments[rows], view.pose, Camera(K=view.K))
        front = (depths > 0).all(axis=1)
        seen, projected = seen[front], projected[front]
        across = line_normals(projected)
        offsets = np.einsum("nei,ni->ne", seen - projected[:, :1], across)
        sines = np.abs(offsets[:, 1] - offsets[:, 0]) / line_lengths(seen)
        angles = np.degrees(np.arcsin(np.minimum(sines, 1)))
        errors.append(np.stack([np.abs(offsets).mean(axis=1), angles], axis=1))
    return np.concatenate(errors)


def segments_in(scene: Scene, number: int, lines: LineMap) -> dict[int, int]:
    """Return for lines the segment of a view with which most segments of their tracks match."""
    best: dict[tuple[int, int], tuple[float, int]] = {}
    for each in scene.matches:
        if number not in (each.view0, each.view1):
            continue
        side = int(each.view1 == number)
        other = each.view0 if side else each.view1
        for pair, score in zip(each.pairs.tolist(), each.scores.tolist(), strict=True):
            key = (other, pair[1 - side])
            best[key] = max(best.get(key, (0.0, 0)), (score, pair[side]))
    votes: dict[int, Counter[int]] = {}
    for line, view, segment in lines.observations.tolist():
        if (view, segment) in best:
            votes.setdefault(line, Counter())[best[view, segment][1]] += 1
    winners = {line: own.most_common(1)[0] for line, own in votes.items()}
    return {line: segment for line, (segment, count) in winners.items() if count > 1}


def depth_errors(scene: Scene, lines: LineMap) -> np.ndarray:
    """Return by how much lines are off in depth, as a share, NaN where it is unknown, [N]."""
    shares: list[list[float]] = [[] for _ in range(len(lines))]
    points = lines.segments[:, :1] + SAMPLES[:, None] * (
        lines.segments[:, 1:] - lines.segments[:, :1]
    )
    for number, view in enumerate(scene.views):
        rows = np.unique(lines.observations[lines.observations[:, 1] == number, 0])
        depth = scene.depths[view.name]
        size = 2 * REACH + 1
        nearest = minimum_filter(np.nan_to_num(depth, nan=np.inf), size)
        farthest = maximum_filter(np.nan_to_num(depth, nan=-np.inf), size)
        pixels, found = project_points(points[rows], view.pose, Camera(K=view.K))
        x, y = np.rint(pixels).astype(np.int64).transpose(2, 0, 1)
        inside = (x >= 0) & (x < depth.shape[1]) & (y >= 0) & (y < depth.shape[0])
        x, y = np.where(inside, x, 0), np.where(inside, y, 0)
        known = inside & np.isfinite(nearest[y, x])
        off = np.maximum(nearest[y, x] - found, found - farthest[y, x]).clip(0) / found
        for row, values, use in zip(rows.tolist(), off, known, strict=True):
            shares[row] += values[use].tolist()
    return np.array([np.median(own) if own else np.nan for own in shares])


def print_row(scene: Scene, label: str, config: LineMapConfig, *, left_out: bool) -> None:
    """Print a row of the table."""

    def make(part: Scene) -> LineMap:
        return make_line_map(part.views, part.matches, config=config)

    start = time.perf_counter()
    lines = make(scene)
    seconds = time.perf_counter() - start
    cells = [
        scene.name.removeprefix("strecha_"),
        label,
        f"{len(lines)}",
        f"{np.median(lines.num_views):.0f}",
        f"{lines.num_views.mean():.1f}",
        f"{lines.errors.mean():.2f}",
    ]
    if left_out:
        errors = left_out_errors(scene, make)
        near = (errors[:, 0] < 2).mean()
        cells += [f"{len(errors)}", f"{np.median(errors[:, 0]):.2f}", f"{100 * near:.1f}%"]
        cells.append(f"{np.median(errors[:, 1]):.2f}")
    else:
        cells += ["-"] * 4
    if scene.depths:
        off = depth_errors(scene, lines)
        off = off[np.isfinite(off)]
        cells.append(f"{100 * (off < 0.02).mean():.1f}%, {100 * (off < 0.05).mean():.1f}%")
    else:
        cells.append("-")
    print("| " + " | ".join([*cells, f"{seconds:.1f}"]) + " |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenes", type=Path, nargs="+")
    parser.add_argument("--output", type=Path, default=Path("output/line-map"))
    parser.add_argument("--matcher", default="aliked-lsd")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(
        "| scene | matches | lines | views: median | mean | error, px | left out: lines "
        "| distance, px | below 2 px | angle, degrees | depth: below 2%, 5% | s |"
    )
    print("|---" * 12 + "|")
    for folder in arguments.scenes:
        scene = read_scene(folder, arguments.output, arguments.matcher)
        print_row(scene, "from 3 views", LineMapConfig(), left_out=True)
        print_row(scene, "from 2 views", LineMapConfig(min_views=2), left_out=True)
        best = replace(scene, matches=[one_to_one(each) for each in scene.matches])
        print_row(best, "one to one, from 3 views", LineMapConfig(), left_out=True)


def one_to_one(matches: LineMatches) -> LineMatches:
    """Return each segment's best matches alone, those that are best both ways."""
    order = np.argsort(-matches.scores, kind="stable")
    taken: tuple[set[int], set[int]] = set(), set()
    kept = []
    for row in order.tolist():
        first, second = matches.pairs[row].tolist()
        if first not in taken[0] and second not in taken[1]:
            kept.append(row)
            taken[0].add(first)
            taken[1].add(second)
    return replace(matches, pairs=matches.pairs[kept], scores=matches.scores[kept])


if __name__ == "__main__":
    main()
