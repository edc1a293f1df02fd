"""What early exit, pruning and leaving junctions out save, and what they cost.

Usage: ``python docs/measurements/speed/early_exit.py BENCHMARK DATA [SETTING=VALUE] [--pairs 40]
[--ways off,off 0.95,0.99 0.98,off,attend,0.9 off,off,left_out] [--model xfeat-lsd | --config fast]
[--unscaled] [--threads 1]``. The features of each pair are extracted once, 1,024 keypoints and 250
lines or as many as a preset says; then the network matches them in each way (confidence of depth,
of width, whether junctions attend or are left out, and which share of the expected matches must be
found) in turns. Printed are the benchmark's figures, the processor seconds of the network and the
layers that it ran. With ``--unscaled`` line heads get similarities of endpoints as a layer gives
them.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple, cast

import numpy as np
import torch
from torch import nn

from gluestick.benchmarks.report.tables import figure_title, format_figure, markdown_table
from gluestick.benchmarks.run.predict import prediction_arrays
from gluestick.benchmarks.run.runner import select_pairs
from gluestick.benchmarks.tasks.protocol import Benchmark, Scores
from gluestick.benchmarks.tasks.registry import benchmark_card
from gluestick.catalog import load_matcher, matcher_card
from gluestick.config import load_config, load_match_config
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.pipeline import PointLineMatcher

BUDGETS = ("points.max_num_keypoints=1024", "lines.max_num_lines=250")


class Way(NamedTuple):
    """When pairs stop, which keypoints are dropped, and whether junctions attend."""

    depth: float = -1.0
    width: float = -1.0
    junctions: Literal["attend", "left_out"] = "attend"
    found: float = 0.0

    def apply(self, network: LightGlueStick) -> None:
        """Change how a network matches."""
        network.config = replace(
            network.config,
            depth_confidence=self.depth,
            depth_min_found=self.found,
            width_confidence=self.width,
            junctions=self.junctions,
        )

    def __str__(self) -> str:
        confidences = (f"{value:g}" if value > 0 else "off" for value in self[:2])
        return ", ".join([*confidences, self.junctions.replace("_", " "), f"{self.found:g}"])


def measure(
    benchmark: Benchmark,
    matcher: PointLineMatcher,
    *,
    num_pairs: int | None,
    ways: Sequence[Way],
    unscaled: bool,
) -> None:
    """Print the table."""
    network = cast(LightGlueStick, matcher.network)
    if unscaled:
        plain = replace(network.config, similarity_scales=None, similarity_shifts=None)
        network.config = plain
    layers = [0]
    for transformer in network.transformers:
        cast(nn.Module, transformer).register_forward_hook(
            lambda *_: layers.__setitem__(0, layers[0] + 1)
        )
    scores: dict[Way, list[Scores]] = {way: [] for way in ways}
    seconds: dict[Way, list[float]] = {way: [] for way in ways}
    depths: dict[Way, list[int]] = {way: [] for way in ways}
    pairs = [pair for pair in benchmark.pairs() if not pair.apart]
    for pair in select_pairs(pairs, num_pairs=num_pairs):
        Way().apply(network)
        wireframe0, wireframe1, _ = matcher(*benchmark.load(pair))
        for way in ways:
            way.apply(network)
            layers[0], start = 0, time.process_time()
            matches = matcher.match(wireframe0, wireframe1)
            seconds[way].append(time.process_time() - start)
            depths[way].append(layers[0])
            prediction = prediction_arrays(wireframe0, wireframe1, matches)
            scores[way].append(benchmark.score(pair, prediction))
    paths = benchmark.headline
    rows = []
    for way in ways:
        figures = benchmark.summarize(scores[way])
        spent = f"{min(seconds[way]):.2f}, {np.median(seconds[way]):.2f}"
        cells = [format_figure(path, figures.get(path, float("nan"))) for path in paths]
        rows.append([str(way), spent, f"{np.mean(depths[way]):.1f}", *cells])
    header = [
        "depth, width, junctions, found",
        "s: least, median",
        "layers",
        *map(figure_title, paths),
    ]
    print(f"{len(depths[ways[0]])} pairs of {benchmark.name}\n")
    print(markdown_table(header, rows))


def matcher_of(model: str | None, config: str | None) -> PointLineMatcher:
    """Return a model with its own settings, or with those of a preset."""
    own = [
        *([f"model={model}"] if model else []),
        *([] if config else [f"pipeline.features.{budget}" for budget in BUDGETS]),
    ]
    settings = load_match_config(config, own, find_card=matcher_card)
    return cast(PointLineMatcher, load_matcher(settings.model, config=settings.pipeline))


def _way(text: str) -> Way:
    depth, width, *further = text.split(",")
    values = (-1.0 if value == "off" else float(value) for value in (depth, width))
    junctions, found = [*further, *("attend", "0")[len(further) :]]
    return Way(*values, cast(Literal["attend", "left_out"], junctions), float(found))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("benchmark")
    parser.add_argument("data", type=Path)
    parser.add_argument("settings", nargs="*")
    parser.add_argument("--pairs", type=int)
    parser.add_argument("--model")
    parser.add_argument("--config")
    parser.add_argument("--unscaled", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--ways",
        type=_way,
        nargs="+",
        default=[Way(), Way(0.98), Way(0.95), Way(0.95, 0.99), Way(-1, -1, "left_out")],
    )
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    card = benchmark_card(given.benchmark)
    measure(
        card.build(given.data, load_config(None, given.settings, defaults=card.config())),
        matcher_of(given.model, given.config),
        num_pairs=given.pairs,
        ways=given.ways,
        unscaled=given.unscaled,
    )
