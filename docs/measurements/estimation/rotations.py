"""Rotations of a camera in one place, from points, from lines, and from both.

Usage: ``python docs/measurements/estimation/rotations.py``. Simulated matches in images of 640 x
480 px: noise of 0.7 px in both images, endpoints of lines that slide by up to 30% of them.
"""

import argparse
import time

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from gluestick.estimation import estimate_rotation
from gluestick.geometry.projection import project_points
from gluestick.types import Camera, Pose

CAMERA = Camera(K=np.array([[600.0, 0, 319.5], [0, 600, 239.5], [0, 0, 1]]))
NOISE, TURN = 0.7, 0.15  # px; the standard deviation of the turn about each axis, radians
COUNTS = ((300, 100, 0.4), (15, 100, 0.4), (300, 100, 0.7), (15, 100, 0.7), (15, 15, 0.4))


def matches(seed: int, num_points: int, num_lines: int, wrong: float) -> tuple:
    """Return points0, points1, lines0, lines1 and the rotation."""
    rng = np.random.default_rng(seed)
    R = Rotation.from_rotvec(rng.normal(0, TURN, 3)).as_matrix()
    poses = [Pose(R=turn, t=np.zeros(3)) for turn in (np.eye(3), R)]
    points = rng.uniform([-2, -2, 4], [2, 2, 8], (num_points, 3))
    lines = rng.uniform([-2, -2, 4], [2, 2, 8], (num_lines, 2, 3))
    slid = lines + rng.uniform(0, 0.3, (num_lines, 2, 1)) * (lines[:, ::-1] - lines)
    seen = [
        project_points(world, pose, CAMERA)[0]
        for world, pose in ((points, poses[0]), (points, poses[1]), (lines, poses[0]))
    ]
    seen.append(project_points(slid, poses[1], CAMERA)[0])
    for positions in seen:
        positions += rng.normal(0, NOISE, positions.shape)
    seen[1][: int(wrong * num_points)] = rng.uniform(0, 480, (int(wrong * num_points), 2))
    seen[3][: int(wrong * num_lines)] = rng.uniform(0, 480, (int(wrong * num_lines), 2, 2))
    return *seen, R


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    arguments = parser.parse_args()
    print("| points + lines, wrong | points | lines | both |\n|---|---|---|---|")
    for num_points, num_lines, wrong in COUNTS:
        cells = []
        for use in ((True, False), (False, True), (True, True)):
            start, errors = time.process_time(), []
            for seed in range(arguments.seeds):
                *seen, R = matches(seed, num_points, num_lines, wrong)
                points, lines = (
                    [each if kept else each[:0] for each in pair]
                    for kept, pair in zip(use, (seen[:2], seen[2:]), strict=True)
                )
                found = estimate_rotation(*points, *lines, camera0=CAMERA, camera1=CAMERA)
                if found is None:
                    errors.append(np.inf)
                else:
                    turn = cv2.Rodrigues(found.R_0to1 @ R.T)[0]
                    errors.append(float(np.degrees(np.linalg.norm(turn))))
            ms = 1000 * (time.process_time() - start) / arguments.seeds
            cells.append(f"{np.median(errors):.3f} / {np.max(errors):.3f}, {ms:.0f} ms")
        print(f"| {num_points} + {num_lines}, {wrong:.0%} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
