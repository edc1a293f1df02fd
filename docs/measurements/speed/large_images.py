"""Memory and seconds that features of a large image take, at once and in tiles.

    python docs/measurements/speed/large_images.py assets/graffiti_a.jpg --megapixels 27
    python docs/measurements/speed/large_images.py assets/graffiti_a.jpg --memory 1.8GB --megapixels
12     python docs/measurements/speed/large_images.py assets/graffiti_a.jpg --megapixels 2
--per-pixel

Each run is a process of its own, whose largest resident size is read from the system. The image
is enlarged to the number of pixels and matched with nothing: it is extracted at its full size.
With ``--memory`` it is written to a file, and ``gluestick detect`` and ``gluestick match`` (with
itself) are given each budget. ``--per-pixel`` measures what each point detector takes for each
pixel that it sees, with random weights where none ship.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import cv2
import torch

from gluestick.features.extractor import FeatureExtractor, FeatureExtractorConfig
from gluestick.features.points.registry import POINT_DETECTORS
from gluestick.features.tiles import TileConfig
from gluestick.images import ResizeConfig, load_image
from gluestick.pipeline import PointLineMatcher
from gluestick.pretrained import DEFAULT_MODEL, model_card
from gluestick.timing import StageTimer
from gluestick.visualization import save_picture

COMMAND = "from gluestick.cli import main; main()"


def enlarged(path: Path, *, megapixels: float) -> torch.Tensor:
    """Return the photograph [3, H, W] with so many pixels."""
    image = load_image(path)
    factor = (megapixels * 1e6 / (image.shape[1] * image.shape[2])) ** 0.5
    size = tuple(round(length * factor) for length in image.shape[:0:-1])
    larger = cv2.resize(image.permute(1, 2, 0).numpy(), size, interpolation=cv2.INTER_CUBIC)
    return torch.from_numpy(larger).permute(2, 0, 1).clamp(0, 1)


def largest_gb() -> float:
    """Return the largest resident size of this process so far, GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def measure(path: Path, *, megapixels: float, tiles: int | None) -> str:
    """Extract one image, and return a row of the table."""
    image = enlarged(path, megapixels=megapixels)
    config = model_card(DEFAULT_MODEL).config
    features = replace(
        config.features, resize=ResizeConfig(size=None), tiles=TileConfig(size=tiles)
    )
    matcher = PointLineMatcher.from_pretrained(config=replace(config, features=features))
    before = largest_gb()
    timer, started = StageTimer(), time.process_time()
    wireframe = matcher.extract(image, timer=timer)
    seconds = time.process_time() - started
    stages = " | ".join(f"{timer.seconds[name]:.1f}" for name in ("keypoints", "lines"))
    nodes = wireframe.keypoints.shape[1] - int(wireframe.num_junctions)
    name = "at once" if tiles is None else f"tiles of {tiles} px"
    return f"| {name} | {nodes} | {before:.1f} | {largest_gb():.1f} | {seconds:.0f} | {stages} |"


def measure_detector(path: Path, *, megapixels: float, name: str) -> str:
    """Detect keypoints, and return a row of the table."""
    image = enlarged(path, megapixels=megapixels)
    detector = POINT_DETECTORS[name].detector()
    config = FeatureExtractorConfig(resize=ResizeConfig(size=None))
    extractor = FeatureExtractor(config, point_detector=detector).eval()
    view, before = extractor.view(image), largest_gb()
    extractor.points_in(view)
    taken = (largest_gb() - before) * 1e9 / (image.shape[1] * image.shape[2])
    return f"| {name} | {taken:.0f} |"


def measure_commands(path: Path, *, megapixels: float, budgets: list[str]) -> None:
    """Print the rows of ``gluestick detect`` and ``gluestick match`` for each budget."""
    print("| command | --memory | GB at most | CPU s |")
    print("|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "image.png"
        save_picture(image, enlarged(path, megapixels=megapixels))
        for words in (["detect", str(image)], ["match", str(image), str(image)]):
            for budget in budgets:
                options = ["--resize", "0", "--memory", budget, "--output", folder]
                options += ["--no-pictures", "--threads", "1"]
                child = subprocess.Popen(
                    [sys.executable, "-c", COMMAND, *words, *options],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                _, status, usage = os.wait4(child.pid, 0)
                done = "" if status == 0 else " (failed)"
                largest, seconds = usage.ru_maxrss * 1024 / 1e9, usage.ru_utime + usage.ru_stime
                print(
                    f"| {words[0]}{done} | {budget} | {largest:.2f} | {seconds:.0f} |", flush=True
                )


def run_each(options: argparse.Namespace, flag: str, values: list) -> None:
    """Run this script once per value, in processes of their own."""
    for value in values:
        command = [sys.executable, __file__, str(options.image), "--single"]
        command += ["--megapixels", str(options.megapixels), flag, str(value)]
        subprocess.run(command, check=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", type=Path)
    parser.add_argument("--megapixels", type=float, default=27.0)
    parser.add_argument("--tiles", type=int, nargs="*", default=[0, 1024, 2048])
    parser.add_argument("--memory", nargs="+", metavar="BYTES")
    parser.add_argument("--per-pixel", nargs="*", metavar="DETECTOR")
    parser.add_argument("--single", action="store_true", help="run in this process")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    shared = {"megapixels": options.megapixels}
    if options.memory:
        measure_commands(options.image, budgets=options.memory, **shared)
    elif options.single and options.per_pixel:
        print(measure_detector(options.image, name=options.per_pixel[0], **shared))
    elif options.single:
        print(measure(options.image, tiles=options.tiles[0] or None, **shared))
    elif options.per_pixel is not None:
        print("| detector | bytes per pixel |\n|---|---|", flush=True)
        run_each(options, "--per-pixel", options.per_pixel or [*POINT_DETECTORS])
    else:
        print("| keypoints | number | GB before | GB at most | CPU s | keypoints, s | lines, s |")
        print("|---|---|---|---|---|---|---|", flush=True)
        run_each(options, "--tiles", options.tiles)


if __name__ == "__main__":
    main()
