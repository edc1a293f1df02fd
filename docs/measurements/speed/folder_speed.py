"""How many pairs of a folder of JPEG files are matched in a second, and how much memory it takes.

Usage: ``python docs/measurements/speed/folder_speed.py FOLDER [--pairs 12] [--device cuda] [--batch
16]``. Exports features and matches of the first pairs of neighbours, by name, as ``gluestick export
hloc`` does: photographs are decoded, pairs vote on turns, each photograph is detected once, and
pairs are matched as they were detected. Files are written to a temporary folder. Memory is the
largest that the process held, and of a GPU what torch held there.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import torch

from gluestick.datasets.photographs import list_photographs
from gluestick.export import export_hloc_folder
from gluestick.export.folder_images import NamePair
from gluestick.export.views.folder import ViewBudget
from gluestick.export.workers.local import LocalWorkers
from gluestick.pipeline import PointLineMatcher


def neighbours(folder: Path, *, number: int) -> list[NamePair]:
    """Return the first pairs of photographs that are one or two apart in the order of names."""
    names = list_photographs(folder)
    pairs = [
        (names[index], names[index + step])
        for index in range(len(names))
        for step in (1, 2)
        if index + step < len(names)
    ]
    return pairs[:number]


def measure(
    matcher: PointLineMatcher, folder: Path, pairs: list[NamePair], *, batch: int | None
) -> tuple[float, float]:
    """Export pairs, and return the seconds that pass and those of the processor."""
    with tempfile.TemporaryDirectory() as output:
        start = time.perf_counter(), time.process_time()
        export_hloc_folder(
            matcher,
            folder,
            pairs,
            Path(output),
            model="measured",
            views=ViewBudget(max_searches=0),
            strict=True,
            workers=LocalWorkers(pairs_at_once=batch),
        )
        return time.perf_counter() - start[0], time.process_time() - start[1]


def main(options: argparse.Namespace) -> None:
    """Print the table."""
    torch.set_num_threads(options.threads)
    matcher = PointLineMatcher.from_pretrained(options.model, device=options.device)
    pairs = neighbours(options.folder, number=options.pairs)
    measure(matcher, options.folder, pairs[:1], batch=options.batch)
    clock, processor = measure(matcher, options.folder, pairs, batch=options.batch)
    largest = f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f}"
    device = "-"
    if matcher.device.type == "cuda":
        device = f"{torch.cuda.max_memory_allocated() / 1e6:.0f}"
    images = len({name for pair in pairs for name in pair})
    print("| images | pairs | s | pairs a second | processor, s | host, MB | device, MB |")
    print("|---|---|---|---|---|---|---|")
    print(
        f"| {images} | {len(pairs)} | {clock:.1f} | {len(pairs) / clock:.2f} | {processor:.1f} "
        f"| {largest} | {device} |"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--batch", type=int, help="how many pairs are matched at once")
    parser.add_argument("--device")
    parser.add_argument("--model", default="aliked-lsd")
    parser.add_argument("--threads", type=int, default=1)
    main(parser.parse_args())
