"""How long matchers take, measured in turns so that all meet the same conditions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from gluestick.benchmarks.run.hardware import device_name
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
        device: What they ran on, each device once.
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
    progress: Progress = no_progress,
) -> Speed:
    """Time matchers, one after the other on each pair.

    Whatever else the machine does slows all of them alike, so their ratios hold. Each matches
    the first pair once beforehand, which is not counted.

    Args:
        benchmark: Loads the images.
        pairs: The pairs.
        matchers: The matchers by name.
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
        device=", ".join(dict.fromkeys(device_name(own.device) for own in matchers.values())),
        threads=torch.get_num_threads(),
    )
