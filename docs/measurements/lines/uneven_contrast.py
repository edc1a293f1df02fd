"""What it gains that LSD follows local contrast, on images that are faint in parts, and on others.

Usage: ``python docs/measurements/lines/uneven_contrast.py PHOTOS [--uneven 24] [--ordinary 30]``.
Pairs are held-out synthetic ones with 512 keypoints. Which part of both images of an uneven pair
is faint, and how, depends on its name: half of the image has a tenth of the contrast, fog
thickens to one side, or a shadow leaves 0.12 of the light.
"""

import argparse
import zlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from gluestick.benchmarks.run.predict import prediction_arrays
from gluestick.benchmarks.run.runner import select_pairs
from gluestick.benchmarks.tasks.planar.synthetic import SyntheticBenchmark
from gluestick.benchmarks.tasks.protocol import Pair
from gluestick.datasets.synthetic_pairs import SyntheticPairsConfig
from gluestick.features.lines.registry import build_line_detector
from gluestick.pipeline import PointLineMatcher


def make_faint(image: Tensor, *, kind: int, mirrored: bool) -> Tensor:
    """Return an image [3, H, W] of 8 bit that is faint in a part."""
    pixels = image.numpy()
    x = np.linspace(0, 1, pixels.shape[2], dtype=np.float32)
    y = np.linspace(0, 1, pixels.shape[1], dtype=np.float32)[:, None]
    x = 1 - x if mirrored else x
    if kind == 0:
        pixels = np.where(x < 0.5, 0.5 + 0.1 * (pixels - 0.5), pixels)
    elif kind == 1:
        clear = 0.05 + 0.95 * x
        pixels = clear * pixels + (1 - clear) * 0.8
    else:
        pixels = np.where(y + 0.3 * x < 0.65, 0.12 * pixels, pixels)
    return torch.from_numpy((255 * pixels).round().clip(0, 255).astype(np.float32)) / 255


def load(benchmark: SyntheticBenchmark, pair: Pair, *, uneven: bool) -> list[Tensor]:
    """Return both images of a pair."""
    images = list(benchmark.load(pair))
    if not uneven:
        return images
    number = zlib.crc32(pair.name.encode())
    return [make_faint(image, kind=number % 3, mirrored=bool(number >> 4 & 1)) for image in images]


def measure(photo_dir: Path, *, num_pairs: dict[str, int]) -> None:
    """Print the table."""
    benchmark = SyntheticBenchmark(photo_dir, SyntheticPairsConfig(holdout=True))
    matcher = PointLineMatcher.from_pretrained(max_num_keypoints=512, view="none")
    config = matcher.extractor.config.lines
    print("| pairs | local contrast | right lines | lines precision | lines AP ", end="")
    print("| both AUC @1/3/5 px | lines AUC @1/3/5 px |")
    print("|---|---|---|---|---|---|---|")
    for kind, number in num_pairs.items():
        pairs = select_pairs(benchmark.pairs(), num_pairs=number)
        for follows in (False, True):
            lines = replace(config, local_contrast=follows)
            matcher.extractor.line_detector = build_line_detector(lines)
            scores = []
            for pair in pairs:
                found = matcher(*load(benchmark, pair, uneven=kind == "uneven"))
                scores.append(benchmark.score(pair, prediction_arrays(*found)))
            figures = benchmark.summarize(scores)
            right = sum(int(each["lines/correct"].sum()) for each in scores)
            rates = [f"{100 * figures[f'lines/{name}']:.1f}" for name in ("precision", "ap")]
            curves = [
                " / ".join(f"{100 * figures[f'{name}/auc@{limit}px']:.1f}" for limit in (1, 3, 5))
                for name in ("points_lines", "lines")
            ]
            cells = [f"{number}, {kind}", "yes" if follows else "no", str(right), *rates, *curves]
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo_dir", type=Path)
    parser.add_argument("--uneven", type=int, default=24)
    parser.add_argument("--ordinary", type=int, default=30)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    measure(options.photo_dir, num_pairs={"uneven": options.uneven, "ordinary": options.ordinary})
