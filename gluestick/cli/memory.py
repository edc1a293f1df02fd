"""How much memory images and their matching need, how much there is, and the tiles that follow."""

import math
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import typer

from gluestick.features.extractor import FeatureExtractorConfig
from gluestick.features.lines.registry import most_lines
from gluestick.features.points.registry import bytes_per_pixel, most_keypoints
from gluestick.images.header import read_header
from gluestick.images.resize import resized_size
from gluestick.matching.memory import PairCounts, matching_bytes
from gluestick.pipeline_config import PipelineConfig

_BASE = 0.7e9
_PER_PIXEL_KEPT = 40
_PER_PIXEL_SEEN = 25
"""Bytes: for the program, for each pixel of the images that are kept at a time, and for each that
the line detector sees of one (``docs/measurements/speed/large_images.py``)."""

_MATCHING_BASE = 0.5e9
"""Bytes for the program while it matches, without what is matched."""

_GPU_BASE = 0.3e9
_SHARE = 0.9
"""How much of the free memory is taken."""

_TURNED = 2.0
"""A view that is turned has up to so many times the pixels of the image."""

_KEPT_ATTEMPTS = 4
"""How many attempts in other views are kept at most while one more is made."""

_UNITS = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_BUDGET = re.compile(r"([0-9.]+(?:[eE][+-]?[0-9]+)?)\s*([KMGT]?)I?B?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class _Need:
    """What images need.

    Attributes:
        rest: Bytes, for all but the point detector.
        per_pixel: Bytes that the point detector takes per pixel.
        largest: (width, height) px of the largest image as detectors see it.
        kept: Bytes of the images that are kept.
        seen: The numbers of pixels that detectors see of the largest image and of the next one,
            which may be the same.
    """

    rest: float
    per_pixel: int
    largest: tuple[int, int]
    kept: float
    seen: tuple[int, int]

    def at_once(self, features: FeatureExtractorConfig) -> float:
        """Return what the point detector takes, bytes, without a limit on memory."""
        width, height = self.largest
        pixels = width * height
        if features.tiles.size is not None:
            pixels = min(pixels, features.tiles.shown**2)
        return self.per_pixel * pixels


@dataclass(frozen=True, kw_only=True)
class _MatchingNeed:
    """What matching the largest pair needs.

    Attributes:
        total: Bytes, with the program and the images.
        keypoints: The largest number of keypoints in an image.
        lines: The largest number of lines.
    """

    total: float
    keypoints: int
    lines: int

    def __str__(self) -> str:
        return (
            f"matching up to {self.keypoints} keypoints and {self.lines} lines in each image needs "
            f"up to {gigabytes(self.total)}"
        )


_FEWER = "use fewer --max-num-keypoints or --max-num-lines"


def fit_memory(
    features: FeatureExtractorConfig,
    images: Iterable[Path],
    *,
    memory: str | None,
    device: torch.device,
    divisible: bool = True,
    one_by_one: bool = False,
    matched_by: PipelineConfig | None = None,
) -> FeatureExtractorConfig:
    """Return the options of an extractor with which images fit into memory.

    Where that takes tiles, or is not possible, a line on stderr says so. Images are matched once
    they are seen, so that what is needed is the larger of both. On a GPU the memory is the GPU's.

    Args:
        features: The options.
        images: The files, of which the headers are read.
        memory: ``auto``, what is free; ``none``; or a number of bytes such as 4GB, which the
            process is to stay below. None for ``auto``.
        device: Where detection runs.
        divisible: Whether the matcher can detect in tiles.
        one_by_one: Whether one image is kept at a time, as of a folder. What a budget leaves to the
            point detector then does not depend on the images, so that later ones are seen alike.
        matched_by: What matches any two of the images, one pair at a time, by a network of this
            package; None where they are not matched, or by something else, of which it is not
            known what it takes.

    Raises:
        ValueError: If ``memory`` is none of these, or too little for the images or for matching
            as many keypoints and lines as they may have.
    """
    if memory == "none":
        return features
    budget = None if memory in (None, "auto") else parse_memory(memory)
    need = _need(features, images, one_by_one=one_by_one)
    if need is None:
        return features
    on_gpu = device.type == "cuda"
    rest = _GPU_BASE if on_gpu else need.rest
    matching = None if matched_by is None else _matching_need(features, need, matched_by, on_gpu)
    if budget is not None:
        if not divisible:
            raise ValueError(f"--memory {memory} needs a matcher that can detect in tiles")
        left = (budget - _BASE) / 2 if one_by_one else budget - rest
        least = features.tiles.least_memory(need.per_pixel)
        if left < least or left + rest > budget:
            enough = max(_BASE + 2 * least, 2 * rest - _BASE) if one_by_one else rest + least
            raise ValueError(
                f"--memory {memory} is too little: besides keypoints these images take about "
                f"{gigabytes(rest)}; give at least {gigabytes(enough)}, or use smaller images"
            )
        if matching is not None and matching.total > budget:
            raise ValueError(f"--memory {memory} is too little: {matching}; {_FEWER}")
        return _divided(features, need, left, rest, f"--memory is {budget / 1e9:.1f} GB")
    available = torch.cuda.mem_get_info(device)[0] if on_gpu else available_memory()
    at_once = need.at_once(features)
    if available is not None and matching is not None and matching.total > available:
        _say(f"warning: {matching}, and {available / 1e9:.1f} GB are free: {_FEWER}")
    if available is None or features.tiles.memory is not None:
        return features
    if rest + _TURNED * at_once <= available:
        return features
    left = _SHARE * available - rest
    said = f"{available / 1e9:.1f} GB are free"
    if divisible and left >= features.tiles.least_memory(need.per_pixel):
        return _divided(features, need, left, rest, said)
    if rest + at_once > available:
        _say(f"warning: {_needs(need, rest + at_once)}, and {said}: use a smaller --resize")
    return features


def gigabytes(needed: float) -> str:
    """Say how many bytes are needed, rounded up."""
    return f"{math.ceil(needed / 1e8 - 1e-6) / 10:.1f} GB"


def parse_memory(text: str) -> float:
    """Return the bytes that a text such as 4GB, 800MB or 2e9 stands for.

    Raises:
        ValueError: If it is none.
    """
    found = _BUDGET.fullmatch(text.strip())
    with suppress(ValueError):
        if found and 0 < float(found[1]) < float("inf"):
            return float(found[1]) * _UNITS[found[2].upper()]
    raise ValueError(f"--memory needs auto, none or bytes such as 4GB, found {text!r}")


def available_memory() -> float | None:
    """Return how many bytes can still be used, or None where the system does not say."""
    limits = []
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        line = next(line for line in lines if line.startswith("MemAvailable"))
        limits.append(1024.0 * int(line.split()[1]))
    with suppress(OSError, ValueError, StopIteration):
        group = Path("/sys/fs/cgroup")
        limit, used = (
            float((group / name).read_text(encoding="ascii"))
            for name in ("memory.max", "memory.current")
        )
        lines = (group / "memory.stat").read_text(encoding="ascii").splitlines()
        files = next(float(line.split()[1]) for line in lines if line.startswith("inactive_file "))
        limits.append(limit - used + files)
    return min(limits, default=None)


def _need(
    features: FeatureExtractorConfig, images: Iterable[Path], *, one_by_one: bool
) -> _Need | None:
    headers = [read_header(path) for path in images]
    sizes = [header.image_size for header in headers if header is not None]
    if not sizes:
        return None
    pixels = [width * height for width, height in sizes]
    seen = [resized_size(size, config=features.resize) for size in sizes]
    seen.sort(key=lambda size: size[0] * size[1], reverse=True)
    first, second = (width * height for width, height in (seen[0], seen[min(1, len(seen) - 1)]))
    kept = _PER_PIXEL_KEPT * (max(pixels) if one_by_one else sum(pixels))
    return _Need(
        rest=_BASE + kept + _PER_PIXEL_SEEN * first,
        per_pixel=bytes_per_pixel(features.points.name),
        largest=seen[0],
        kept=kept,
        seen=(first, second),
    )


def _matching_need(
    features: FeatureExtractorConfig, need: _Need, matched_by: PipelineConfig, on_gpu: bool
) -> _MatchingNeed:
    """Return what matching the two largest images needs, as many keypoints as they may have."""
    seen = [_TURNED * pixels for pixels in need.seen]
    keypoints = [most_keypoints(features.points, pixels) for pixels in seen]
    lines = [most_lines(features.lines, pixels) for pixels in seen]
    counts = PairCounts(
        nodes0=keypoints[0] + 2 * lines[0],
        nodes1=keypoints[1] + 2 * lines[1],
        lines0=lines[0],
        lines1=lines[1],
    )
    published = matched_by.network == "gluestick"
    taken = matching_bytes(
        counts,
        network=matched_by.gluestick if published else matched_by.lightgluestick,
        kept=0 if matched_by.view == "none" else _KEPT_ATTEMPTS,
    )
    base = _GPU_BASE if on_gpu else _MATCHING_BASE + need.kept
    return _MatchingNeed(total=base + taken, keypoints=keypoints[0], lines=lines[0])


def _divided(
    features: FeatureExtractorConfig, need: _Need, memory: float, rest: float, said: str
) -> FeatureExtractorConfig:
    tiles = replace(features.tiles, memory=float(int(memory)))
    fitted = tiles.within_memory(need.largest, bytes_per_pixel=need.per_pixel)
    if fitted.size != features.tiles.size:
        needs = _needs(need, rest + need.at_once(features))
        _say(f"{needs}, and {said}: keypoints are found in tiles of {fitted.size} px")
    return replace(features, tiles=tiles)


def _needs(need: _Need, total: float) -> str:
    width, height = need.largest
    return f"detecting in {width} x {height} px needs about {gigabytes(total)}"


def _say(message: str) -> None:
    typer.echo(f"gluestick: {message}", err=True)
