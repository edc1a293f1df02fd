"""What vanishing points of matched lines add to relative poses from points.

Usage: ``python docs/measurements/estimation/vanishing_points.py FOLDER [FOLDER ...]``. Each FOLDER
holds images and a list of posed pairs (``pairs_with_gt.txt``), of which at most ``--pairs`` are
taken, evenly spread. The default model matches them; besides all points, random ones are kept,
drawn three times, as in scenes with little texture. Errors are the larger of those of rotation
and of the direction of translation, in degrees.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from stored_matches import MatchStore

from gluestick import load_image
from gluestick.datasets.posed.posed_pairs import find_image, find_pairs_file, read_posed_pairs
from gluestick.estimation import estimate_relative_pose
from gluestick.supervision.geometry_metrics import error_auc, relative_pose_error

NUM_KEYPOINTS, REPEATS = 1024, 3
THRESHOLDS = (5, 10, 20)


def errors_of(folder: Path, store: MatchStore, *, num_pairs: int, kept: int | None) -> np.ndarray:
    """Return the errors [N, 2] from points and from points and lines, degrees."""
    listed = read_posed_pairs(find_pairs_file(folder))
    chosen = np.unique(np.linspace(0, len(listed) - 1, min(num_pairs, len(listed))).astype(int))
    rows = []
    for index in chosen.tolist():
        pair = listed[index]
        paths = [find_image(folder, name) for name in (pair.name0, pair.name1)]
        found = store.get(
            f"{folder.name} {pair.name0} {pair.name1}",
            lambda paths=paths: tuple(load_image(path) for path in paths),
            num_keypoints=NUM_KEYPOINTS,
        )
        for repeat in range(1 if kept is None else REPEATS):
            order = np.random.default_rng([index, repeat]).permutation(len(found.points0))[:kept]
            points = found.points0[order], found.points1[order]
            row = []
            for lines in ((), (found.lines0, found.lines1)):
                estimate = estimate_relative_pose(*points, pair.camera0, pair.camera1, *lines)
                pose, true = None if estimate is None else estimate.pose_0to1, pair.pose_0to1
                row.append(
                    180.0
                    if pose is None
                    else max(relative_pose_error(pose.R, pose.t, true.R, true.t))
                )
            rows.append(row)
    return np.array(rows, dtype=np.float64)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--cache", type=Path, default=Path("output/stored_matches"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    store = MatchStore(arguments.cache, device="cpu")
    names = "/".join(map(str, THRESHOLDS))
    print(
        f"| pairs | points | poses | AUC@{names}, points | and lines | worse by a fifth | better |"
    )
    print("|---" * 7 + "|")
    for folder in arguments.folders:
        for kept in (None, 60, 30, 12):
            errors = errors_of(folder, store, num_pairs=arguments.pairs, kept=kept)
            areas = [
                " / ".join(f"{100 * area:.1f}" for area in error_auc(column, THRESHOLDS))
                for column in errors.T
            ]
            slack = 0.05
            worse = (errors[:, 1] > 1.2 * errors[:, 0] + slack).sum()
            better = (errors[:, 0] > 1.2 * errors[:, 1] + slack).sum()
            print(
                f"| {folder.name.removeprefix('strecha_')} | {kept or 'all'} | {len(errors)} "
                f"| {' | '.join(areas)} | {worse} | {better} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
