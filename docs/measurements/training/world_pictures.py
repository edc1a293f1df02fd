"""The sample pictures of planar worlds in ``docs/images``, made from ``assets/``.

Usage: ``python docs/measurements/training/world_pictures.py [--output docs/images]``. Each row is a
pair: both pictures, and the depth of the first, near is bright and unknown is black.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from gluestick.datasets.photograph_pool import PhotographPool
from gluestick.datasets.worlds import PlanarWorlds, PlanarWorldsConfig, WorldPair

ASSETS = Path(__file__).parents[3] / "assets"
CONFIG = PlanarWorldsConfig(width=240, height=180)
ROWS = {"worlds_a.jpg": (3, 8, 14), "worlds_b.jpg": (20, 31, 37)}
"""The numbers of the pairs of each picture, seed 0."""


def row(pair: WorldPair) -> np.ndarray:
    """Return both images and the depth of the first side by side."""
    images = [
        (image * 255).round().byte().permute(1, 2, 0).numpy()
        for image in (pair.image0, pair.image1)
    ]
    depth = pair.depth0.numpy()
    nearness = np.where(depth > 0, depth[depth > 0].min() / np.maximum(depth, 1e-6), 0)
    shown = cv2.applyColorMap((nearness * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    return np.concatenate([*images, shown[..., ::-1]], axis=1)


def main() -> None:
    """Render and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("docs/images"))
    options = parser.parse_args()
    names = sorted(path.name for path in ASSETS.glob("*.jpg"))
    worlds = PlanarWorlds(PhotographPool(ASSETS, names), CONFIG)
    for name, numbers in ROWS.items():
        picture = np.concatenate([row(worlds.make(number)) for number in numbers])
        Image.fromarray(picture).save(options.output / name, quality=80)


if __name__ == "__main__":
    main()
