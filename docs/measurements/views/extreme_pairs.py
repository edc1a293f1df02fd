"""How the images of the pairs of extreme viewpoint lie to each other, by their true homographies.

Usage: ``python docs/measurements/views/extreme_pairs.py DATA/homography``. Where image 1 shows what
the other image shows: the share of image 1, and by what the homography enlarges and squeezes
there, at the median and from the least to the most. A search compares views that are squeezed to
a third with each other, so it covers tilts of up to about 9.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from gluestick.benchmarks.tasks.planar.homography import EXTREME_PREFIX
from gluestick.datasets.hpatches import ScenePair, list_scene_pairs
from gluestick.geometry.affine import Stretch, stretch
from gluestick.geometry.homography import transform_points

NUM_STEPS = 60
"""How many positions are looked at along each side of image 1."""

STEP = 1e-3
"""The step of the differences, px."""


def stretches(pair: ScenePair) -> tuple[list[Stretch], float]:
    """Return how a homography changes lengths at what both images show, and the share of that."""
    size0, size1 = (Image.open(path).size for path in pair.files())
    sides = [np.linspace(0, length - 1, NUM_STEPS) for length in size0]
    points = np.stack(np.meshgrid(*sides), axis=-1).reshape(-1, 2)
    H = pair.H_0to1 * np.sign(np.linalg.det(pair.H_0to1))
    before = points @ H[2, :2] + H[2, 2] > 0  # and not behind the camera
    moved = transform_points(H, points)
    shared = points[before & (moved >= 0).all(axis=1) & (moved < size1).all(axis=1)]
    columns = [
        (transform_points(H, shared + step) - transform_points(H, shared - step)) / (2 * STEP)
        for step in STEP * np.eye(2)
    ]
    return [stretch(each) for each in np.stack(columns, axis=-1)], len(shared) / len(points)


def row(pair: ScenePair) -> str:
    """Return a row of the table."""
    found, share = stretches(pair)
    scales, tilts = np.array(found).T
    name = pair.scene.name.removeprefix(EXTREME_PREFIX)
    return (
        f"| {name} | {share:.0%} | {np.median(scales):.2f} | {scales.min():.2f} to "
        f"{scales.max():.2f} | {np.median(tilts):.1f} | {tilts.min():.1f} to {tilts.max():.1f} |"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data_dir", type=Path)
    print("| pair | of image 1 | scale | | tilt | |")
    print("|---|---|---|---|---|---|")
    for each in list_scene_pairs(parser.parse_args().data_dir):
        if each.scene.name.startswith(EXTREME_PREFIX):
            print(row(each))
