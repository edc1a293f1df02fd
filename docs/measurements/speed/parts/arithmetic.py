"""How near the network comes to what the processors can multiply.

Usage: ``python docs/measurements/speed/parts/arithmetic.py IMAGE0 IMAGE1 [--threads 2] [--repeat 5]
[--keypoints 1024] [--lines 250]``. Counts the multiplications and additions of the network without
its line head on a pair at 640 px, with junctions and without, times both, and times products of
square matrices of 2,048 rows, in turns. Printed is the least time of each.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from gluestick import PointLineMatcher
from gluestick.images.load import load_image
from gluestick.images.resize import ResizeConfig, resize_image
from gluestick.matching.lightgluestick import LightGlueStick

SIZE = 640
ROWS = 2048


def attention_operations(query: Sequence[int], key: Sequence[int], *_: Any, **__: Any) -> int:
    """Return what attention takes, given the sizes [B, H, Q, D] and [B, H, K, D]."""
    batch, heads, queries, channels = query
    return 4 * batch * heads * queries * key[2] * channels


COUNTED = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: attention_operations}


def seconds(run: Callable[[], object]) -> float:
    """Return the time of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


@torch.no_grad()
def main(options: argparse.Namespace) -> None:
    """Print a row for each."""
    torch.set_num_threads(options.threads)
    matcher = PointLineMatcher.from_pretrained(
        max_num_keypoints=options.keypoints, max_num_lines=options.lines
    )
    network = matcher.network
    assert isinstance(network, LightGlueStick)
    images = (
        resize_image(load_image(path), config=ResizeConfig(size=SIZE))[0]
        for path in (options.image0, options.image1)
    )
    sides = [matcher.extract(image) for image in images]
    square = torch.randn(ROWS, ROWS)
    configs = {name: replace(network.config, junctions=name) for name in ("attend", "left_out")}

    def assign(name: str) -> None:
        network.config = configs[name]
        network.assign_nodes(*sides)

    runs: dict[str, Callable[[], object]] = {
        "network": lambda: assign("attend"),
        "network, junctions left out": lambda: assign("left_out"),
        f"product of {ROWS} x {ROWS}": lambda: square @ square,
    }
    operations = {}
    for name, run in runs.items():
        with FlopCounterMode(display=False, custom_mapping=COUNTED) as counter:
            run()
        operations[name] = counter.get_total_flops()
    rounds = [[seconds(run) for run in runs.values()] for _ in range(options.repeat)]
    least = {name: min(times) for name, times in zip(runs, zip(*rounds, strict=True), strict=True)}
    nodes = [int(side.keypoint_mask.sum()) for side in sides]
    print(f"{nodes[0]} and {nodes[1]} nodes, {options.threads} threads\n")
    print("|  | billions of operations | s | billions in a second |\n|---|---|---|---|")
    for name, count in operations.items():
        billions = count / 1e9
        print(f"| {name} | {billions:.1f} | {least[name]:.3f} | {billions / least[name]:.0f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image0", type=Path)
    parser.add_argument("image1", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--keypoints", type=int, default=1024)
    parser.add_argument("--lines", type=int, default=250)
    main(parser.parse_args())
