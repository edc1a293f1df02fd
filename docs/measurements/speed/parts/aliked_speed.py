"""How fast and how equal our ALIKED is, against kornia's in the same run.

Usage: ``python docs/measurements/speed/parts/aliked_speed.py IMAGE [--repeat 5]`` (kornia 0.9 or
newer). Both take turns, on one thread; the least and the median of the processor seconds are
printed.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from kornia.feature import ALIKED

from gluestick.features.points.aliked import Aliked, AlikedConfig
from gluestick.images.load import load_image
from gluestick.images.resize import ResizeConfig, resize_image
from gluestick.storage.parameters import read_parameters
from gluestick.weights import shipped_path


def in_turns(calls: Sequence[Callable[[], object]], *, repeat: int) -> np.ndarray:
    """Return the processor seconds of calls [repeat, C] after a round that is not counted."""
    seconds = np.zeros((repeat + 1, len(calls)))
    for row in seconds:
        for number, call in enumerate(calls):
            start = time.process_time()
            call()
            row[number] = time.process_time() - start
    return seconds[1:]


@torch.no_grad()
def compare(path: Path, *, repeat: int) -> None:
    """Print the agreement and the ratio of the times."""
    image, _ = resize_image(load_image(path), config=ResizeConfig(size=640))
    image = image[:, : image.shape[1] // 32 * 32, : image.shape[2] // 32 * 32].contiguous()
    weights = shipped_path("aliked-n16.safetensors")
    kornia = ALIKED("aliked-n16").eval()
    kornia.load_state_dict(read_parameters(weights)[0], strict=False)
    ours = Aliked.from_pretrained(
        AlikedConfig(max_num_keypoints=None, detection_threshold=0.2), weights=str(weights)
    )
    theirs, points = kornia(image[None])[0], ours.detect(image)
    exact = "donot_use_mm_for_euclid_dist"
    distances = torch.cdist(theirs.keypoints, points.keypoints, compute_mode=exact)
    distance, nearest = distances.min(dim=1)
    descriptors = (theirs.descriptors - points.descriptors[nearest]).abs().max()
    print(f"{image.shape[2]}x{image.shape[1]} px, {torch.get_num_threads()} thread")
    print(f"keypoints: kornia {len(theirs.keypoints)}, ours {len(points.keypoints)}")
    print(f"largest distance {distance.max():.1e} px, descriptor difference {descriptors:.1e}")
    seconds = in_turns([lambda: kornia(image[None]), lambda: ours.detect(image)], repeat=repeat)
    for label, spent in (("least", seconds.min(axis=0)), ("median", np.median(seconds, axis=0))):
        print(
            f"{label}: kornia {spent[0]:.2f} s, ours {spent[1]:.2f} s: {spent[0] / spent[1]:.1f} x"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image", type=Path)
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    compare(arguments.image, repeat=arguments.repeat)
