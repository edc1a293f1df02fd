"""Milliseconds that matching takes for a pair, by the size of the batch and the precision.

Usage: ``python docs/measurements/speed/batch_speed.py FOLDER [--device cuda] [--batches 1,8,32]
[--ways single,tf32,half,bfloat16] [--compiled] [--profile FILE]``. Photographs of the folder that
are at most four apart, by name, are pairs; they are extracted once, and batches are matched again
and again. "Network" is what assigns the nodes, "all" the lines as well. The clock is read when the
device has finished. Matches are kept if both ends are those of single precision, pair by pair.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path

import torch
from torch import Tensor

from gluestick.datasets.photographs import list_photographs
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.pipeline import PointLineMatcher
from gluestick.types import Matches, Wireframe
from gluestick.wireframe.collate import stack_wireframes

MOST_APART = 4


def pairs_of(folder: Path, *, number: int) -> list[tuple[Path, Path]]:
    """Return the first pairs of photographs, those next to each other first."""
    photographs = [folder / name for name in list_photographs(folder)]
    pairs = [
        (photographs[index], photographs[index + step])
        for step in range(1, MOST_APART + 1)
        for index in range(len(photographs) - step)
    ]
    if len(pairs) < number:
        raise SystemExit(f"{folder} has {len(pairs)} pairs, and the largest batch needs {number}")
    return pairs[:number]


def stack(sides: Sequence[Wireframe]) -> Wireframe:
    """Make a batch of images."""
    return stack_wireframes(sides, padded=True)


def converted(matcher: PointLineMatcher, way: str) -> PointLineMatcher:
    """Bring a matcher to a precision."""
    return getattr(matcher, {"single": "float", "tf32": "float"}.get(way, way))()


@contextmanager
def rounding(way: str) -> Iterator[None]:
    """Let products of matrices be rounded to TF32 in between, if that is the way."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if way == "tf32" else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def wait(device: torch.device) -> None:
    """Wait until a device has finished."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def milliseconds(run: Callable[[], object], *, device: torch.device, seconds: float) -> float:
    """Return the median time of a call that is made for some seconds, five times at least."""
    run()
    times: list[float] = []
    for number in count():
        if number >= 5 and sum(times) > seconds:
            break
        wait(device)
        start = time.perf_counter()
        run()
        wait(device)
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def kept(found: Tensor, wanted: Tensor) -> str:
    """Return which share of the wanted matches [B, P] was found, percent."""
    matched = wanted >= 0
    return f"{100 * (found == wanted)[matched].double().mean():.1f}%"


@torch.no_grad()
def main(options: argparse.Namespace) -> None:
    """Print a row for each precision and size of batch."""
    torch.set_num_threads(options.threads)
    sizes = [int(size) for size in options.batches.split(",")]
    matcher = PointLineMatcher.from_pretrained(
        options.model,
        device=options.device,
        max_num_keypoints=options.keypoints,
        max_num_lines=options.lines,
        view="none",
    )
    device, network = matcher.device, matcher.network
    assert isinstance(network, LightGlueStick)
    pairs = pairs_of(options.folder, number=max(sizes))
    paths = list(dict.fromkeys(path for pair in pairs for path in pair))
    features = {path: matcher.extract(path) for path in paths}
    nodes = [int(side.keypoint_mask.sum()) for side in features.values()]
    print(f"{min(nodes)} to {max(nodes)} nodes in an image\n")
    if options.compiled:
        network.compile()

    wanted: dict[int, Matches] = {}
    print("| precision | batch | network, ms | all, ms | device, MB | points kept | lines kept |")
    print("|---|---|---|---|---|---|---|")
    for way in options.ways.split(","):
        converted(matcher, way)
        for size in sizes:
            side0, side1 = (stack([features[pair[k]] for pair in pairs[:size]]) for k in (0, 1))
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(device)
            with rounding(way):
                matches = matcher.match(side0, side1)
                part, whole = (
                    milliseconds(
                        partial(run, side0, side1),
                        device=device,
                        seconds=options.seconds,
                    )
                    for run in (network.assign_nodes, matcher.match)
                )
            memory = "-"
            if device.type == "cuda":
                memory = f"{torch.cuda.max_memory_allocated(device) / 1e6:.0f}"
            single = wanted.setdefault(size, matches)
            points = kept(matches.matches0, single.matches0)
            lines = kept(matches.line_matches0, single.line_matches0)
            print(
                f"| {way} | {size} | {part / size:.2f} | {whole / size:.2f} | {memory} "
                f"| {points} | {lines} |",
                flush=True,
            )
    if options.profile is not None:
        with torch.profiler.profile() as profiler:
            matcher.match(side0, side1)
            wait(device)
        order = "self_cuda_time_total" if device.type == "cuda" else "self_cpu_time_total"
        options.profile.write_text(profiler.key_averages().table(sort_by=order, row_limit=60))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="aliked-lsd")
    parser.add_argument("--keypoints", type=int, default=1024)
    parser.add_argument("--lines", type=int, default=250)
    parser.add_argument("--batches", default="1,8,32")
    parser.add_argument("--ways", default="single,tf32,half,bfloat16", help="the first one counts")
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each is timed")
    parser.add_argument("--profile", type=Path, help="where the last row's profile is written")
    parser.add_argument("--device")
    parser.add_argument("--threads", type=int, default=1)
    main(parser.parse_args())
