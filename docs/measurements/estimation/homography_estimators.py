"""Accuracy and time of homographies from points, lines and both, beside PoseLib and OpenCV.

Usage: ``PYTHONPATH=tests python docs/measurements/estimation/homography_estimators.py [--seeds
100]``. Views of 640x480 with 0.7 px of noise on points and across lines in both images, endpoints
that slide by a quarter of the line, and wrong matches. Each cell is the median and the largest
corner error in px, and the median time in ms.
"""

import argparse
import time
from collections.abc import Callable
from types import SimpleNamespace

import cv2
import numpy as np
import poselib
from planar_scenes import make_planar_scene

from gluestick.estimation import estimate_homography
from gluestick.geometry.homography import homography_corner_error

MAX_ERROR = 3.0  # px
SETTINGS = ((300, 100, 0.4), (15, 100, 0.4), (300, 100, 0.5), (15, 100, 0.5), (100, 100, 0.8))


def by_poselib(scene: SimpleNamespace) -> np.ndarray | None:
    """Estimate from points with PoseLib."""
    options = {"max_reproj_error": MAX_ERROR}
    return poselib.estimate_homography(scene.points0, scene.points1, options, {})[0]


def by_magsac(scene: SimpleNamespace) -> np.ndarray | None:
    """Estimate from points with OpenCV's MAGSAC++."""
    method, iterations, confidence = cv2.USAC_MAGSAC, 10_000, 0.9999
    points = scene.points0, scene.points1
    return cv2.findHomography(*points, method, MAX_ERROR, None, iterations, confidence)[0]


def by_ours(scene: SimpleNamespace, *, points: bool, lines: bool) -> np.ndarray | None:
    """Estimate from points, lines or both."""
    none = np.zeros((0, 2)), np.zeros((0, 2))
    estimate = estimate_homography(
        *((scene.points0, scene.points1) if points else none),
        *((scene.lines0, scene.lines1) if lines else ()),
        max_error=MAX_ERROR,
    )
    return None if estimate is None else estimate.H_0to1


ESTIMATORS: dict[str, Callable[[SimpleNamespace], np.ndarray | None]] = {
    "PoseLib, points": by_poselib,
    "MAGSAC++, points": by_magsac,
    "ours, points": lambda scene: by_ours(scene, points=True, lines=False),
    "ours, lines": lambda scene: by_ours(scene, points=False, lines=True),
    "ours, both": lambda scene: by_ours(scene, points=True, lines=True),
}


def measure(num_seeds: int) -> None:
    """Print the table."""
    print("| points + lines, wrong | " + " | ".join(ESTIMATORS) + " |")
    print("|---" * (len(ESTIMATORS) + 1) + "|")
    for points, lines, outliers in SETTINGS:
        scenes = [
            make_planar_scene(seed, points=points, lines=lines, outliers=outliers)
            for seed in range(num_seeds)
        ]
        cells = []
        for estimator in ESTIMATORS.values():
            errors, seconds = [], []
            for scene in scenes:
                start = time.perf_counter()
                H = estimator(scene)
                seconds.append(time.perf_counter() - start)
                error = np.inf
                if H is not None:
                    error = homography_corner_error(H, scene.H, image_size=scene.image_size)
                errors.append(error)
            milliseconds = 1e3 * np.median(seconds)
            cells.append(f"{np.median(errors):.2f} / {np.max(errors):.1f}, {milliseconds:.0f} ms")
        print(f"| {points} + {lines}, {outliers:.0%} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100)
    measure(parser.parse_args().seeds)
