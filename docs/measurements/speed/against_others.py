"""How fast the default is against kornia's ALIKED and LightGlue, and against GlueStick.

Usage: ``python docs/measurements/speed/against_others.py IMAGE0 IMAGE1 [--threads 2] [--repeat 5]
[--keypoints 1024] [--lines 250] [--clock wall]`` (kornia 0.9 or newer). Photographs are resized to
640 px. Whole pairs, from images in memory to matches, and the matchers alone on the same features
take turns; the first round is not counted. GlueStick is the architecture of 2023 in this package
with random weights and descriptors. Printed are the least and the median seconds and, by the
medians, how many times as long as the default each takes.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from kornia.feature import ALIKED
from torch import Tensor

from gluestick.benchmarks.report.tables import markdown_table
from gluestick.benchmarks.run.stage_speed import CLOCKS
from gluestick.images.load import load_image
from gluestick.images.resize import ResizeConfig, resize_image
from gluestick.matching.gluestick import GlueStick, GlueStickConfig
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.peers.lightglue import KorniaLightGlue, KorniaLightGlueConfig
from gluestick.pipeline import PointLineMatcher
from gluestick.storage.parameters import read_parameters
from gluestick.types import Wireframe
from gluestick.weights import shipped_path

Calls = dict[str, Callable[[], Any]]


def kornia_pipeline(number: int) -> Callable[[Tensor, Tensor], Any]:
    """Return kornia's ALIKED and LightGlue, from two images to matches of keypoints."""
    detector = ALIKED("aliked-n16", max_num_keypoints=number, detection_threshold=0.0).eval()
    detector.load_state_dict(
        read_parameters(shipped_path("aliked-n16.safetensors"))[0], strict=False
    )
    matcher = KorniaLightGlue(KorniaLightGlueConfig(input_dim=128)).network

    def match(*images: Tensor) -> Any:
        found = [detector(image[None])[0] for image in images]
        return matcher(
            {
                f"image{side}": {
                    "keypoints": own.keypoints[None],
                    "descriptors": own.descriptors[None],
                    "image_size": torch.tensor([[image.shape[2], image.shape[1]]]),
                }
                for side, (own, image) in enumerate(zip(found, images, strict=True))
            }
        )

    return match


def with_wide_descriptors(wireframe: Wireframe) -> Wireframe:
    """Return the wireframe with random descriptors of the size that GlueStick takes."""
    width = GlueStickConfig().input_dim
    random = F.normalize(torch.randn(*wireframe.descriptors.shape[:2], width), dim=-1)
    return replace(wireframe, descriptors=random)


def seconds_of(calls: Calls, *, repeat: int, clock: Callable[[], float]) -> np.ndarray:
    """Return the seconds of calls [repeat, C] that take turns."""
    seconds = np.zeros((repeat + 1, len(calls)))
    for row in seconds:
        for number, call in enumerate(calls.values()):
            start = clock()
            call()
            row[number] = clock() - start
    return seconds[1:]


def table(calls: Calls, seconds: np.ndarray) -> str:
    """Return least and median seconds, and how many times as long as the first each takes."""
    medians = np.median(seconds, axis=0)
    rows = [
        [name, f"{least:.2f}, {median:.2f}", f"{median / medians[0]:.2f}"]
        for name, least, median in zip(calls, seconds.min(axis=0), medians, strict=True)
    ]
    return markdown_table(["", "s: least, median", "times the first"], rows)


@torch.no_grad()
def main(given: argparse.Namespace) -> None:
    """Print both tables."""
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    images = [
        resize_image(load_image(path), config=ResizeConfig(size=640))[0] for path in given.images
    ]
    budgets = {"max_num_keypoints": given.keypoints, "max_num_lines": given.lines}
    ours = PointLineMatcher.from_pretrained(**budgets)
    network = cast(LightGlueStick, ours.network)
    left_out = LightGlueStick(replace(network.config, junctions="left_out")).eval()
    left_out.load_state_dict(network.state_dict())
    gluestick = GlueStick(GlueStickConfig()).eval()
    lightglue = KorniaLightGlue(KorniaLightGlueConfig(input_dim=128))
    kornia = kornia_pipeline(given.keypoints)
    pair = ours(*images)[:2]
    wide = [with_wide_descriptors(side) for side in pair]
    pipelines: Calls = {
        "whole pair: default": lambda: ours(*images),
        "kornia's ALIKED + LightGlue": lambda: kornia(*images),
    }
    matchers: Calls = {
        "matcher: default": lambda: network(*pair),
        "default, junctions left out": lambda: left_out(*pair),
        "kornia's LightGlue, without exit": lambda: lightglue(*pair),
        "GlueStick (2023)": lambda: gluestick(*wide),
    }
    clock = CLOCKS[given.clock]
    print(f"{given.threads} threads, {given.clock} seconds, {given.repeat} rounds\n")
    for calls in (pipelines, matchers):
        print(table(calls, seconds_of(calls, repeat=given.repeat, clock=clock)), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, nargs=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--keypoints", type=int, default=1024)
    parser.add_argument("--lines", type=int, default=250)
    parser.add_argument("--clock", choices=[*CLOCKS], default="wall")
    main(parser.parse_args())
