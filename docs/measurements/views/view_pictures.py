"""The pictures of a zoom and of a tilt in ``docs/images``, made from ``assets/``.

Usage: ``python docs/measurements/views/view_pictures.py [--output docs/images]``. The first pair is
a street and a part of its other photograph, four times as close; the second a painted wall and its
other photograph, squeezed to two fifths of its width, as if seen from farther to the side.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from gluestick.cli.pair.files import drawn_keypoints
from PIL import Image
from torch import Tensor

from gluestick.geometry.line_ends import ends_reversed
from gluestick.images.load import load_image
from gluestick.match_images import pair_matches
from gluestick.pipeline import PointLineMatcher
from gluestick.visualization import draw_line_matches, draw_point_matches

ASSETS = Path(__file__).parents[3] / "assets"
DETAIL = (slice(190, 340), slice(360, 560))
"""Rows and columns of ``leuven_b.jpg``."""

CLOSER = 4
SQUEEZE = 0.4
WIDTH = 800
QUALITY = 62


def detail() -> tuple[Tensor, Tensor]:
    """Return a street, and a part of its other photograph enlarged."""
    rows, columns = DETAIL
    part = load_image(ASSETS / "leuven_b.jpg")[None, :, rows, columns]
    closer = F.interpolate(part, scale_factor=CLOSER, mode="bicubic")[0].clamp(0, 1)
    return load_image(ASSETS / "leuven_a.jpg"), closer


def from_the_side() -> tuple[Tensor, Tensor]:
    """Return a wall, and its other photograph squeezed."""
    other = load_image(ASSETS / "graffiti_b.jpg")
    size = other.shape[1], round(SQUEEZE * other.shape[2])
    squeezed = F.interpolate(other[None], size=size, mode="bilinear", antialias=True)[0]
    return load_image(ASSETS / "graffiti_a.jpg"), squeezed


def draw(matcher: PointLineMatcher, images: tuple[Tensor, Tensor]) -> np.ndarray:
    """Match a pair and draw its lines above its points, [H, W, 3] uint8."""
    result = matcher(*images)
    matches, pair = result[2], pair_matches(*result)
    lines = draw_line_matches(
        *images,
        result[0].detected_lines[0],
        result[1].detected_lines[0],
        matches.line_matches0[0],
        width=WIDTH,
        reversed_ends=ends_reversed(pair.lines0, pair.lines1, pair.points0, pair.points1),
    )
    keypoints, _ = drawn_keypoints(*result)
    points = draw_point_matches(*images, *keypoints, width=WIDTH)
    print(f"{len(pair.points0)} points and {len(pair.lines0)} lines are matched")
    return np.concatenate([lines, points], axis=0)


def main() -> None:
    """Match, draw and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("docs/images"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    matcher = PointLineMatcher.from_pretrained()
    for name, images in (("zoom.jpg", detail()), ("tilt.jpg", from_the_side())):
        picture = Image.fromarray(draw(matcher, images))
        picture.save(options.output / name, quality=QUALITY)
        print(f"{options.output / name}: {(options.output / name).stat().st_size} bytes")


if __name__ == "__main__":
    main()
