"""Memory and seconds that features of a large image take, at once and in tiles.

    python docs/measurements/large_images.py assets/graffiti_a.jpg --megapixels 27

Each run is a process of its own, whose largest resident size is read from the system. The image
is enlarged to the number of pixels and matched with nothing: it is extracted at its full size.
"""

import argparse
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import torch

from gluestick.features.tiles import TileConfig
from gluestick.images import ResizeConfig, load_image
from gluestick.pipeline import PointLineMatcher
from gluestick.pretrained import DEFAULT_MODEL, model_card
from gluestick.timing import StageTimer


def measure(path: Path, *, megapixels: float, tiles: int | None) -> str:
    """Extract one image, and return a row of the table."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    image = load_image(path)
    factor = (megapixels * 1e6 / (image.shape[1] * image.shape[2])) ** 0.5
    size = tuple(round(length * factor) for length in image.shape[:0:-1])
    enlarged = cv2.resize(image.permute(1, 2, 0).numpy(), size, interpolation=cv2.INTER_CUBIC)
    image = torch.from_numpy(enlarged).permute(2, 0, 1).clamp(0, 1)
    del enlarged
    config = model_card(DEFAULT_MODEL).config
    features = replace(
        config.features, resize=ResizeConfig(size=None), tiles=TileConfig(size=tiles)
    )
    matcher = PointLineMatcher.from_pretrained(config=replace(config, features=features))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    timer, started = StageTimer(), time.process_time()
    wireframe = matcher.extract(image, timer=timer)
    seconds = time.process_time() - started
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    stages = " | ".join(f"{timer.seconds[name]:.1f}" for name in ("keypoints", "lines"))
    nodes = wireframe.keypoints.shape[1] - int(wireframe.num_junctions)
    name = "at once" if tiles is None else f"tiles of {tiles} px"
    return f"| {name} | {nodes} | {before:.1f} | {largest:.1f} | {seconds:.0f} | {stages} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", type=Path)
    parser.add_argument("--megapixels", type=float, default=27.0)
    parser.add_argument("--tiles", type=int, nargs="*", default=[0, 1024, 2048])
    parser.add_argument("--single", action="store_true", help="run in this process")
    options = parser.parse_args()
    if options.single:
        (tiles,) = options.tiles
        print(measure(options.image, megapixels=options.megapixels, tiles=tiles or None))
        return
    print("| keypoints | number | GB before | GB at most | CPU s | keypoints, s | lines, s |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for tiles in options.tiles:
        command = [sys.executable, __file__, str(options.image), "--single"]
        command += ["--megapixels", str(options.megapixels), "--tiles", str(tiles)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
