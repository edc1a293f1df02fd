"""How long matchers take, measured in turns so that all meet the same conditions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from gluestick.benchmarks.report.tables import markdown_table
from gluestick.benchmarks.run.predict import Progress, no_progress
from gluestick.benchmarks.tasks.protocol import Benchmark, Pair
from gluestick.matching.protocols import Matcher
from gluestick.timing import StageTimer


@dataclass(frozen=True, kw_only=True)
class Speed:
    """The seconds that matchers take for a pair.

    Attributes:
        num_pairs: How many pairs were matched by each.
        seconds: The median seconds of each stage, by matcher.
        device: What they ran on.
        threads: On how many threads of the processor.
    """

    num_pairs: int
    seconds: Mapping[str, Mapping[str, float]]
    device: str
    threads: int

    def total(self, name: str) -> float:
        """Return the seconds per pair of a matcher over all stages."""
        return sum(self.seconds[name].values())


def measure_speed(
    benchmark: Benchmark,
    pairs: Sequence[Pair],
    matchers: Mapping[str, Matcher],
    *,
    device: torch.device,
    progress: Progress = no_progress,
) -> Speed:
    """Time matchers, one after the other on each pair.

    Whatever else the machine does slows all of them alike, so their ratios hold. Each matches
    the first pair once beforehand, which is not counted.

    Args:
        benchmark: Loads the images.
        pairs: The pairs.
        matchers: The matchers by name.
        device: What they run on.
        progress: Shows how far it is.

    Returns:
        The medians over the pairs.

    Raises:
        ValueError: If there is no pair, or an image cannot be read.
    """
    if not pairs:
        raise ValueError("timing needs at least one pair, found none")
    for matcher in matchers.values():
        matcher(*benchmark.load(pairs[0]), timer=StageTimer())
    timers: dict[str, list[StageTimer]] = {name: [] for name in matchers}
    for pair in progress(pairs, "timing"):
        images = benchmark.load(pair)
        for name, matcher in matchers.items():
            timer = StageTimer()
            matcher(*images, timer=timer)
            timers[name].append(timer)
    return Speed(
        num_pairs=len(pairs),
        seconds={
            name: {
                stage: float(np.median([timer.seconds[stage] for timer in own]))
                for stage in own[0].seconds
            }
            for name, own in timers.items()
        },
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
        threads=torch.get_num_threads(),
    )


def speed_table(speed: Speed, *, reference: str) -> str:
    """Return the seconds in Markdown, and how they compare.

    Args:
        speed: What was measured.
        reference: The matcher whose time the last column divides by the others'; without it in
            ``speed``, the column is left out.
    """
    stages = list(dict.fromkeys(stage for own in speed.seconds.values() for stage in own))
    compared = reference in speed.seconds
    header = ["", *stages, "total", *([f"speed against {reference}"] if compared else [])]
    rows = []
    for name, own in speed.seconds.items():
        cells = [f"{own[stage]:.3f}" if stage in own else "-" for stage in stages]
        ratio = [f"{speed.total(reference) / speed.total(name):.2f} x"] if compared else []
        rows.append([name, *cells, f"{speed.total(name):.2f}", *ratio])
    return markdown_table(header, rows)
