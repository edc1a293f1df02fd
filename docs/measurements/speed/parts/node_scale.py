"""What the network takes by the number of nodes, in processor seconds and memory.

Usage: ``python docs/measurements/speed/parts/node_scale.py [--nodes 512 ... 16384] [--model
aliked-lsd] [--threads 1]``. Made-up images of 2000 x 1500 px, seed 0: a quarter of the nodes are
junctions of as many lines as half of them, up to 250 lines; the others are keypoints; descriptors
are random and alike in both images. Each number is a process of its own. Printed are the processor
seconds of the network without its line head, how they grow from one row to the next, as a power of
the number of nodes, and the most memory that is held beyond what is there before (Linux with
glibc).
"""

import argparse
import ctypes
import math
import re
import subprocess
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812

from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.pretrained import build_model
from gluestick.types import Wireframe

SIZE = torch.tensor([2000, 1500])
MOST_LINES = 250
NOISE = 0.05


def make_pair(num_nodes: int, descriptor_dim: int) -> tuple[Wireframe, Wireframe]:
    """Return the wireframes of two images with this many nodes."""
    torch.manual_seed(0)
    num_lines = min(num_nodes // 8, MOST_LINES)
    nodes = torch.rand(1, num_nodes, 2) * SIZE
    descriptors = F.normalize(torch.randn(1, num_nodes, descriptor_dim), dim=2)
    noisy = descriptors + NOISE * torch.randn_like(descriptors)
    first, second = (
        Wireframe(
            image_size=SIZE[None],
            keypoints=nodes,
            keypoint_scores=torch.ones(1, num_nodes),
            descriptors=F.normalize(seen, dim=2),
            keypoint_mask=torch.ones(1, num_nodes, dtype=torch.bool),
            num_junctions=torch.tensor([2 * num_lines]),
            lines=nodes[:, : 2 * num_lines].unflatten(1, (num_lines, 2)),
            detected_lines=nodes[:, : 2 * num_lines].unflatten(1, (num_lines, 2)),
            line_scores=torch.ones(1, num_lines),
            line_mask=torch.ones(1, num_lines, dtype=torch.bool),
            line_junctions=torch.arange(2 * num_lines).view(1, num_lines, 2),
            edge_index=torch.zeros(2, 0, dtype=torch.int64),
        )
        for seen in (descriptors, noisy)
    )
    return first, second


@torch.no_grad()
def measure(num_nodes: int, model: str) -> tuple[float, float]:
    """Return the processor seconds of one pair, and the MB beyond what is there before."""
    network = build_model(model).network.eval()
    assert isinstance(network, LightGlueStick)
    network.assign_nodes(*make_pair(64, network.config.input_dim))
    pair = make_pair(num_nodes, network.config.input_dim)
    ctypes.CDLL(None).malloc_trim(0)  # what was freed earlier would hide what is taken now
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = resident("VmRSS")
    start = time.process_time()
    network.assign_nodes(*pair)
    return time.process_time() - start, resident("VmHWM") - before


def resident(name: str) -> float:
    """Return a line of what the system says about this process, in MB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(rf"{name}:\s+(\d+)", status)[1]) / 1000  # type: ignore[index]


def main() -> None:
    """Print the table, or measure one number of nodes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    numbers = [512 * 2**power for power in range(6)]
    parser.add_argument("--nodes", type=int, nargs="+", default=numbers)
    parser.add_argument("--model", default="aliked-lsd")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.one is not None:
        print(*measure(options.one, options.model))
        return
    print("| nodes in each image | processor seconds | growth | MB |\n|---|---|---|---|")
    earlier: tuple[int, float] | None = None
    for number in options.nodes:
        command = [sys.executable, __file__, "--one", str(number), "--model", options.model]
        command += ["--threads", str(options.threads)]
        answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        seconds, megabytes = map(float, answer.split())
        growth = "-"
        if earlier is not None:
            growth = f"{math.log(seconds / earlier[1]) / math.log(number / earlier[0]):.1f}"
        print(f"| {number:,} | {seconds:.1f} | {growth} | {megabytes:,.0f} |", flush=True)
        earlier = number, seconds


if __name__ == "__main__":
    main()
