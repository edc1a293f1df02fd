r"""What changes when both images of a pair are enlarged.

    python docs/measurements/estimation/enlarged_images.py assets/graffiti_a.jpg
assets/graffiti_b.jpg \         --homography assets/graffiti_H_a_to_b.txt

Both images are first brought to a long side of 1024 px, the size in which the default model finds
its features, and enlarged from there (bicubic). Errors are in px of the images of 1024 px.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch

from gluestick.estimation import estimate_homography
from gluestick.geometry.homography import homography_corner_error
from gluestick.images import ResizeConfig, load_image
from gluestick.pipeline import PointLineMatcher
from gluestick.wireframe.thresholds import original_max_error

_LONG_SIDE = 1024


def scaling(factor: float) -> np.ndarray:
    """Return the map [3, 3] from pixels of an image to those of its enlarged copy."""
    offset = (factor - 1) / 2
    return np.array([[factor, 0, offset], [0, factor, offset], [0, 0, 1]])


def enlarge(image: np.ndarray, factor: float) -> np.ndarray:
    """Enlarge an image [H, W, 3]."""
    size = tuple(round(length * factor) for length in image.shape[1::-1])
    return cv2.resize(image, size, interpolation=cv2.INTER_CUBIC).clip(0, 1)


def measure(
    paths: list[Path], H_0to1: np.ndarray, *, factors: list[float], resize: ResizeConfig
) -> None:
    """Print the table."""
    matcher = PointLineMatcher.from_pretrained()
    matcher.extractor.config = replace(matcher.extractor.config, resize=resize)
    images = [load_image(path).permute(1, 2, 0).numpy() for path in paths]
    first = [_LONG_SIDE / max(image.shape) for image in images]
    images = [enlarge(image, factor) for image, factor in zip(images, first, strict=True)]
    H_0to1 = scaling(first[1]) @ H_0to1 @ np.linalg.inv(scaling(first[0]))
    size = images[0].shape[1], images[0].shape[0]
    print("| enlarged | junctions | matches, points + lines | inliers | corner error, px |")
    print("|---|---|---|---|---|")
    for factor in factors:
        enlarged = [torch.from_numpy(enlarge(image, factor)).permute(2, 0, 1) for image in images]
        wireframe0, wireframe1, matches = matcher(*enlarged)
        points = matches.matched_keypoints(wireframe0, wireframe1)
        lines = matches.matched_lines(wireframe0, wireframe1)
        max_error = original_max_error(wireframe0, wireframe1, 3.0)
        estimate = estimate_homography(*points, *lines, max_error=max_error)
        row = f"| {factor:g} | {int(wireframe0.num_junctions)}, {int(wireframe1.num_junctions)} "
        row += f"| {len(points[0])} + {len(lines[0])} "
        if estimate is not None:
            found = np.linalg.inv(scaling(factor)) @ estimate.H_0to1 @ scaling(factor)
            error = homography_corner_error(found, H_0to1, image_size=size)
            row += f"| {estimate.point_inliers.sum()} + {estimate.line_inliers.sum()} "
            row += f"| {error:.2f} |"
        print(row, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, nargs=2)
    parser.add_argument("--homography", type=Path, required=True)
    parser.add_argument("--factors", type=float, nargs="+", default=[1, 2, 4, 10])
    parser.add_argument("--filter", choices=["triangle", "bicubic"], default="triangle")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    measure(
        options.images,
        np.loadtxt(options.homography),
        factors=options.factors,
        resize=ResizeConfig(filter=options.filter),
    )
