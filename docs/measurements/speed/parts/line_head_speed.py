"""How long the line heads take, and how much memory, by the number of lines.

Usage: ``python docs/measurements/speed/parts/line_head_speed.py [--threads 2] [--repeat 40]
[--device cuda] [--lines 250 2000] [--heads same_line]``. Made-up pairs, seed 0: 1,024 keypoints of
640 x 480 px in both images, half of them matched to where an affine map with noise of 1 px takes
them, and as many lines of 10 to 80 px as asked for, moved by the same map. The heads are given the
mutual matches of the nodes, which the network finds for itself. They take turns; the shortest and
the median time of each is printed (of the CPU with one thread, of the clock with more), and the
memory that a call needs at most beyond what is there before (Linux with glibc).
"""

import argparse
import ctypes
import re
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from gluestick.matching.assignment import mutual_matches
from gluestick.matching.line_heads.endpoints import NodeAssignment
from gluestick.pretrained import build_model
from gluestick.types import Wireframe

HEADS = {"guided": "aliked-lsd-guided", "same_line": "aliked-lsd"}
SIZE = torch.tensor([640.0, 480.0])
NUM_KEYPOINTS = 1024
AFFINE = torch.tensor([[0.96, 0.08], [-0.05, 1.02]])
SHIFT = torch.tensor([6.0, -9.0])


def moved(positions: Tensor) -> Tensor:
    """Return where positions [..., 2] lie in the other image, with noise."""
    return positions @ AFFINE + SHIFT + torch.randn_like(positions)


def wireframe_of(points: Tensor, lines: Tensor, colors: Tensor) -> Wireframe:
    """Return a wireframe of keypoints [K, 2] and lines [L, 2, 2], whose ends are its junctions."""
    number = len(lines)
    nodes = torch.cat([lines.flatten(0, 1), points])[None]
    return Wireframe(
        image_size=SIZE.long()[None],
        keypoints=nodes,
        keypoint_scores=torch.ones(nodes.shape[:2]),
        descriptors=torch.zeros(*nodes.shape[:2], 1),
        keypoint_mask=torch.ones(nodes.shape[:2], dtype=torch.bool),
        num_junctions=torch.tensor([2 * number]),
        lines=lines[None],
        detected_lines=lines[None],
        line_scores=torch.ones(1, number),
        line_mask=torch.ones(1, number, dtype=torch.bool),
        line_junctions=torch.arange(2 * number).view(1, number, 2),
        edge_index=torch.zeros(2, 0, dtype=torch.int64),
        side_colors=colors[None],
    )


def make_pair(number: int) -> tuple[Wireframe, Wireframe, NodeAssignment]:
    """Return two wireframes with ``number`` lines each, and what is known about their nodes."""
    points, starts = torch.rand(NUM_KEYPOINTS, 2) * SIZE, torch.rand(number, 2) * SIZE
    angles, lengths = torch.rand(number) * 6.3, 10 + 70 * torch.rand(number)
    steps = torch.stack([angles.cos(), angles.sin()], dim=1) * lengths[:, None]
    lines, colors = torch.stack([starts, starts + steps], dim=1), torch.rand(number, 2, 9) * 255
    sides = (
        wireframe_of(points, lines, colors),
        wireframe_of(moved(points), moved(lines), colors + 10 * torch.randn_like(colors)),
    )
    nodes = 2 * number + NUM_KEYPOINTS
    log_assignment = torch.full((1, nodes + 1, nodes + 1), -12.0)
    matched = torch.arange(2 * number, nodes, 2)
    log_assignment[0, matched, matched] = -0.1
    similarity = 10 * torch.randn(1, 2 * number, 2 * number) + 40 * torch.eye(2 * number)
    nothing = torch.zeros(1, 2 * number)
    return (*sides, NodeAssignment(log_assignment, similarity, nothing, nothing))


def memory(head: nn.Module, inputs: tuple) -> float:
    """Return the MB that a call needs at most beyond what is there before."""
    status, references = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not references.exists():
        return float("nan")
    ctypes.CDLL(None).malloc_trim(0)  # what earlier calls left would hide what this one takes
    references.write_text("5", encoding="ascii")
    before = status.read_text(encoding="ascii")
    head(*inputs)
    after = status.read_text(encoding="ascii")
    kilobytes = [
        int(re.search(rf"{name}:\s+(\d+)", text)[1])  # type: ignore[index]
        for name, text in (("VmRSS", before), ("VmHWM", after))
    ]
    return (kilobytes[1] - kilobytes[0]) / 1000


@torch.no_grad()
def main(threads: int, repeat: int, device: str, numbers: list[int], names: list[str]) -> None:
    """Print the table."""
    torch.set_num_threads(threads)
    clock = time.process_time if threads == 1 and device == "cpu" else time.perf_counter
    heads = {name: build_model(HEADS[name]).network.line_head.eval().to(device) for name in names}
    print(f"| lines | {' | '.join(f'{name}, ms: least, median' for name in heads)} | MB |")
    print(f"|---|{'---|' * (len(heads) + 1)}")
    for number in numbers:
        torch.manual_seed(0)
        wireframe0, wireframe1, nodes = make_pair(number)
        nodes = NodeAssignment(*(value.to(device) for value in nodes))
        mutual = mutual_matches(nodes.log_assignment, threshold=0.0)
        inputs = wireframe0.to(device), wireframe1.to(device), nodes, mutual
        needed = [memory(head, inputs) for head in heads.values()]
        calls = [partial(head, *inputs) for head in heads.values()]
        seconds: list[list[float]] = [[] for _ in calls]
        for _ in range(max(repeat * 250 // number, 3)):
            for call, found in zip(calls, seconds, strict=True):
                start = clock()
                call()
                if device != "cpu":
                    torch.cuda.synchronize()
                found.append(1000 * (clock() - start))
        cells = [f"{min(found):.1f}, {np.median(found):.1f}" for found in seconds]
        megabytes = ", ".join(f"{value:.0f}" for value in needed)
        print(f"| {number} x {number} | {' | '.join(cells)} | {megabytes} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=40)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--lines", type=int, nargs="+", default=[100, 250, 500, 1000])
    parser.add_argument("--heads", choices=[*HEADS], nargs="+", default=[*HEADS])
    given = parser.parse_args()
    main(given.threads, given.repeat, given.device, given.lines, given.heads)
