"""How often each line detector finds the same line in two views of a plane.

Usage: ``python docs/measurements/lines/line_detectors.py PHOTO_DIR [--photos 60] [--seed 0]``.
Each photograph is warped by a random homography with noise and a change of brightness. A line
is repeated if its warped counterpart lies within a distance of a line of the other view and
overlaps it by half; both ends are repeated if they lie within that distance of the other's ends.
The 250 best lines of each view count; the time is that of one view of 640x480.
"""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from gluestick.features.lines.registry import LineDetectorConfig, build_line_detector
from gluestick.geometry.homography import transform_points
from gluestick.geometry.line_frames import LineFrames
from gluestick.geometry.lines import line_lengths
from gluestick.images.load import load_image

WIDTH, HEIGHT = 640, 480
NUM_LINES = 250
MAX_SHIFT = 0.2  # of the image size
DISTANCES = (5.0, 1.0)  # px
SETTINGS = {
    "lsd (default)": {},
    "lsd, refine std": {"refine": "std"},
    "lsd, saliency nfa": {"saliency": "nfa"},
    "lsd, no local contrast": {"local_contrast": False},
    "lsd, no subpixel": {"subpixel": False},
    "edlines": {"name": "edlines"},
    "edlines, no subpixel": {"name": "edlines", "subpixel": False},
}


def make_pair(path: Path, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return two views [HEIGHT, WIDTH, 3] uint8 and the homography between them."""
    photograph = (load_image(path).permute(1, 2, 0).numpy() * 255).astype(np.uint8)
    view0 = cv2.resize(photograph, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    size = np.array([WIDTH, HEIGHT])
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * size
    moved = corners + rng.uniform(-MAX_SHIFT, MAX_SHIFT, (4, 2)) * size
    H_0to1 = cv2.getPerspectiveTransform(corners.astype(np.float32), moved.astype(np.float32))
    view1 = cv2.warpPerspective(view0, H_0to1, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)
    changed = view1 * rng.uniform(0.7, 1.2) + rng.normal(0, 4, view1.shape)
    return view0, changed.clip(0, 255).astype(np.uint8), H_0to1


def repeatability(lines0: np.ndarray, lines1: np.ndarray, H_0to1: np.ndarray) -> list[float]:
    """Return, for each distance, the share of lines and of lines with both ends repeated."""
    warped = transform_points(H_0to1, lines0.reshape(-1, 2)).reshape(-1, 2, 2)
    inside = ((warped >= 0) & (warped <= [WIDTH - 1, HEIGHT - 1])).all(axis=(1, 2))
    warped = warped[inside]
    if not len(warped) or not len(lines1):
        return [np.nan] * 2 * len(DISTANCES)
    frames = LineFrames.of(lines1)
    along, across = frames.coordinates_of_all(warped.swapaxes(0, 1))  # [2, M, N]
    distance = np.abs(across).max(axis=0)
    overlap = np.minimum(along.max(axis=0), frames.length) - np.maximum(along.min(axis=0), 0)
    shorter = np.minimum(line_lengths(warped)[:, None], frames.length)
    ends = np.minimum(
        np.linalg.norm(warped[:, None] - lines1[None], axis=-1).max(axis=-1),
        np.linalg.norm(warped[:, None] - lines1[None, :, ::-1], axis=-1).max(axis=-1),
    )
    shares = []
    for limit in DISTANCES:
        shares.append(((distance < limit) & (overlap > 0.5 * shorter)).any(axis=1).mean())
        shares.append((ends < limit).any(axis=1).mean())
    return shares


def measure(photographs: list[Path], *, seed: int) -> None:
    """Print the table."""
    rng = np.random.default_rng(seed)
    pairs = [make_pair(path, rng) for path in photographs]
    print(f"{len(pairs)} photographs, seed {seed}, {torch.get_num_threads()} threads")
    print("| detector | repeated @5 | both ends @5 | repeated @1 | both ends @1 | ms |")
    print("|---|---|---|---|---|---|")
    for name, options in SETTINGS.items():
        detector = build_line_detector(LineDetectorConfig(max_num_lines=NUM_LINES, **options))
        shares, seconds = [], []
        for *views, H_0to1 in pairs:
            found = []
            for view in views:
                image = torch.from_numpy(view).permute(2, 0, 1) / 255
                start = time.perf_counter()
                found.append(detector.detect(image).lines.double().numpy())
                seconds.append(time.perf_counter() - start)
            if all(len(lines) == NUM_LINES for lines in found):
                shares.append(repeatability(*found, H_0to1))
        means = " | ".join(f"{share:.3f}" for share in np.nanmean(shares, axis=0))
        print(f"| {name} ({len(shares)} full pairs) | {means} | {1e3 * np.median(seconds):.0f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo_dir", type=Path)
    parser.add_argument("--photos", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    found = sorted(arguments.photo_dir.rglob("*.jpg"))
    if not found:
        parser.error(f"no photographs in {arguments.photo_dir}")
    measure(found[:: max(1, len(found) // arguments.photos)], seed=arguments.seed)
