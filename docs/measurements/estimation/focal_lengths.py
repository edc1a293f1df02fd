"""Poses of cameras whose focal length is unknown: ours beside COLMAP's.

Usage: ``python docs/measurements/estimation/focal_lengths.py``. Half of the matches are wrong,
right ones have 0.7 px of noise, and scenes are 4 to 9 units away in images of 1024 x 683 px.
COLMAP's P4Pf estimator and refinement take points alone. Needs pycolmap.
"""

import argparse
import time
from dataclasses import dataclass

import cv2
import numpy as np
import pycolmap
from scipy.spatial.transform import Rotation

from gluestick.estimation import estimate_uncalibrated_pose
from gluestick.geometry.projection import project_points
from gluestick.types import Camera, Pose

SIZE = (1024, 683)
NOISE, WRONG, MAX_ERROR = 0.7, 0.5, 3.0


@dataclass
class Scene:
    """Matches of points and lines with the world, and the truth."""

    points2d: np.ndarray
    points3d: np.ndarray
    lines2d: np.ndarray
    lines3d: np.ndarray
    pose: Pose
    focal_length: float


def make_scene(seed: int, num_points: int, num_lines: int, focal_length: float) -> Scene:
    """Return a scene whose first half of points and of lines is matched wrongly."""
    rng = np.random.default_rng(seed)
    R, centre = Rotation.random(random_state=seed).as_matrix(), rng.normal(0, 3, 3)
    middle = (np.array(SIZE) - 1) / 2
    K = np.array([[focal_length, 0, middle[0]], [0, focal_length, middle[1]], [0, 0, 1]])
    camera, pose = Camera(K=K), Pose(R=R, t=-R @ centre)

    def places(count: int) -> np.ndarray:
        pixels, depth = rng.uniform(0, 1, (count, 2)) * SIZE, rng.uniform(4, 9, (count, 1))
        rays = np.concatenate([(pixels - middle) / focal_length, np.ones((count, 1))], axis=1)
        return (rays * depth) @ R + centre

    points3d, starts = places(num_points), places(num_lines)
    lines3d = np.stack([starts, starts + rng.normal(0, 0.6, starts.shape)], axis=1)
    points2d, lines2d = (project_points(each, pose, camera)[0] for each in (points3d, lines3d))
    points2d, lines2d = (each + rng.normal(0, NOISE, each.shape) for each in (points2d, lines2d))
    wrong = int(WRONG * num_points)
    points2d[:wrong] = rng.uniform(0, 1, (wrong, 2)) * SIZE
    wrong = int(WRONG * num_lines)
    lines2d[:wrong] = lines2d[rng.permutation(num_lines)[:wrong]]
    return Scene(points2d, points3d, lines2d, lines3d, pose, focal_length)


def errors(scene: Scene, R: np.ndarray, t: np.ndarray, focal_length: float) -> tuple[float, ...]:
    """Return the errors: rotation in degrees, centre in units, focal length in percent."""
    angle = np.degrees(np.linalg.norm(cv2.Rodrigues(R @ scene.pose.R.T)[0]))
    distance = np.linalg.norm(R.T @ t - scene.pose.R.T @ scene.pose.t)
    return float(angle), float(distance), 100 * abs(focal_length / scene.focal_length - 1)


def ours(scene: Scene) -> tuple[float, ...]:
    """Estimate with points and lines."""
    found = estimate_uncalibrated_pose(
        scene.points2d,
        scene.points3d,
        SIZE,
        scene.lines2d,
        scene.lines3d,
        max_error=MAX_ERROR,
    )
    if found is None:
        return (np.inf,) * 3
    pose = found.cam_from_world
    return errors(scene, pose.R, pose.t, found.camera.K[0, 0])


def colmap(scene: Scene) -> tuple[float, ...]:
    """Estimate with COLMAP."""
    camera = pycolmap.Camera.create_from_model_name(0, "SIMPLE_PINHOLE", 1.2 * SIZE[0], *SIZE)
    options = pycolmap.AbsolutePoseEstimationOptions()
    options.estimate_focal_length = True
    options.ransac.max_error, options.ransac.random_seed = MAX_ERROR, 0
    refinement = pycolmap.AbsolutePoseRefinementOptions()
    refinement.refine_focal_length = True
    found = pycolmap.estimate_and_refine_absolute_pose(
        scene.points2d + 0.5, scene.points3d, camera, options, refinement
    )
    if found is None:
        return (np.inf,) * 3
    pose = found["cam_from_world"]
    return errors(scene, pose.rotation.matrix(), pose.translation, camera.params[0])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    arguments = parser.parse_args()
    print(
        "| focal length, px | points + lines | estimator | rotation, degrees | centre, units ",
        end="",
    )
    print("| focal length, % | s |\n" + "|---" * 7 + "|")
    for focal_length in (500.0, 900.0, 2500.0):
        for counts in ((300, 100), (60, 30), (100, 0)):
            for name, estimate in (("ours", ours), ("COLMAP", colmap)):
                start, rows = time.process_time(), []
                for seed in range(arguments.seeds):
                    rows.append(estimate(make_scene(seed, *counts, focal_length)))
                seconds = (time.process_time() - start) / arguments.seeds
                columns = " | ".join(
                    f"{median:.3f}, {largest:.3f}"
                    for median, largest in zip(np.median(rows, 0), np.max(rows, 0), strict=True)
                )
                print(
                    f"| {focal_length:.0f} | {counts[0]} + {counts[1]} | {name} | {columns} "
                    f"| {seconds:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
