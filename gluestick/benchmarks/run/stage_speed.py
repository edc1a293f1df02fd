"""How long each stage takes, by the size of images and the number of keypoints."""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.hooks import RemovableHandle

from gluestick.benchmarks.run.hardware import device_name
from gluestick.images.load import load_image
from gluestick.match_images import pair_matches
from gluestick.matching.protocols import Matcher
from gluestick.pair_geometry import estimate_geometry
from gluestick.timing import StageTimer
from gluestick.visualization.matches import draw_line_matches, draw_point_matches

CLOCKS: Mapping[str, Callable[[], float]] = {
    "processor": time.process_time,
    "wall": time.perf_counter,
}
"""Processor seconds are those of all threads together; other programs change them little."""

_MATCHING = "matching"
_LAYERS_IN_A_GROUP = 3


class Case(NamedTuple):
    """What a matcher is timed with.

    Attributes:
        name: The matcher.
        size: (width, height) px of both images, which no matcher resizes.
        num_keypoints: How many keypoints it keeps per image.
    """

    name: str
    size: tuple[int, int]
    num_keypoints: int


@dataclass(frozen=True, kw_only=True)
class StageSpeeds:
    """The seconds of stages.

    Attributes:
        seconds: By case and stage one number for each repetition. The stage "matching" leaves
            out the parts of it that have a stage of their own.
        clock: Which seconds, a name of :data:`CLOCKS`.
        device: What the matchers ran on, each device once.
        threads: On how many threads of the processor.
    """

    seconds: Mapping[Case, Mapping[str, Sequence[float]]]
    clock: str
    device: str
    threads: int


def measure_stages(
    photographs: tuple[Path, Path],
    load: Callable[[Case], Matcher],
    *,
    names: Sequence[str],
    sizes: Sequence[tuple[int, int]],
    numbers: Sequence[int],
    repeat: int,
    clock: str = "wall",
    progress: Callable[[str], None] = lambda _: None,
) -> StageSpeeds:
    """Time matchers on two photographs, from their files to pictures of the matches.

    For each size the matchers take turns, each with each number of keypoints, so that whatever
    else the machine does slows all of them alike. The first round is not counted.

    Args:
        photographs: The files, which are cut to the aspect ratio of each size and resized.
        load: Loads the matcher of a case.
        names: The matchers.
        sizes: The sizes, px.
        numbers: The numbers of keypoints.
        repeat: How many rounds are counted, at least 1.
        clock: Which seconds, a name of :data:`CLOCKS`.
        progress: Is told what is measured.

    Returns:
        The seconds.

    Raises:
        ValueError: If a file is no image, or ``repeat`` is less than 1.
    """
    if repeat < 1:
        raise ValueError(f"repeat needs to be at least 1, found {repeat}")
    seconds: dict[Case, dict[str, list[float]]] = {}
    devices = []
    for size in sizes:
        cases = [Case(name, size, number) for name in names for number in numbers]
        matchers = {case: load(case).eval() for case in cases}
        devices += [device_name(matcher.device) for matcher in matchers.values()]
        with tempfile.TemporaryDirectory() as folder:
            files = [_resized(path, Path(folder), size) for path in photographs]
            for turn in range(repeat + 1):
                for case, matcher in matchers.items():
                    progress(f"{size[0]}x{size[1]}: {case.name}, {case.num_keypoints} keypoints")
                    spent = _time_once(matcher, files, StageTimer(CLOCKS[clock]))
                    for stage, value in spent.items() if turn else ():
                        seconds.setdefault(case, {}).setdefault(stage, []).append(value)
    return StageSpeeds(
        seconds=seconds,
        clock=clock,
        device=", ".join(dict.fromkeys(devices)),
        threads=torch.get_num_threads(),
    )


def _resized(path: Path, folder: Path, size: tuple[int, int]) -> Path:
    """Write an image as a JPEG file of a size, cut centrally to its aspect ratio."""
    pixels = (load_image(path) * 255).round().byte().permute(1, 2, 0).numpy()
    height, width = pixels.shape[:2]
    factor = min(width / size[0], height / size[1])
    across, down = (width - factor * size[0]) / 2, (height - factor * size[1]) / 2
    box = (across, down, width - across, height - down)
    target = folder / f"{path.stem}-{len(list(folder.iterdir()))}.jpg"
    Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC, box=box).save(target)
    return target


def _time_once(matcher: Matcher, files: Sequence[Path], timer: StageTimer) -> dict[str, float]:
    with timer.stage("loading"):
        images = load_image(files[0]), load_image(files[1])
    with _parts_timed(matcher, timer):
        wireframe0, wireframe1, matches = matcher(*images, timer=timer)
    with timer.stage("estimation"):
        estimate_geometry(pair_matches(wireframe0, wireframe1, matches))
    sides = (wireframe0, wireframe1)
    points0, points1 = (wireframe.keypoints[0] for wireframe in sides)
    lines0, lines1 = (wireframe.detected_lines[0] for wireframe in sides)
    with timer.stage("pictures"):
        draw_point_matches(*images, points0, points1, matches.matches0[0])
        draw_line_matches(*images, lines0, lines1, matches.line_matches0[0])
    parts = sum(value for stage, value in timer.seconds.items() if stage.startswith("layers"))
    parts += timer.seconds.get("line head", 0.0)
    return {**timer.seconds, _MATCHING: timer.seconds[_MATCHING] - parts}


@contextmanager
def _parts_timed(matcher: Any, timer: StageTimer) -> Iterator[None]:
    """Also time groups of a network's layers, and its line head, where it has these."""
    network = getattr(matcher, "network", None)
    layers = list(getattr(network, "transformers", ()))
    handles: list[RemovableHandle] = []
    for first in range(0, len(layers), _LAYERS_IN_A_GROUP):
        group = layers[first : first + _LAYERS_IN_A_GROUP]
        for layer in group:
            handles += _time_calls(layer, timer, f"layers {first + 1}-{first + len(group)}")
    line_head = getattr(network, "line_head", None)
    if isinstance(line_head, nn.Module):
        handles += _time_calls(line_head, timer, "line head")
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _time_calls(module: nn.Module, timer: StageTimer, name: str) -> list[RemovableHandle]:
    entered: list[Any] = []

    def enter(*_: Any) -> None:
        entered.append(timer.stage(name))
        entered[-1].__enter__()

    def leave(*_: Any) -> None:
        entered.pop().__exit__(None, None, None)

    return [
        module.register_forward_pre_hook(enter),
        module.register_forward_hook(leave, always_call=True),
    ]


def median_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Return the median, and half the distance between the quartiles."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    return float(middle), float(high - low) / 2
