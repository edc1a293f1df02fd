"""What early exit and pruning save, and what they cost in points and lines.

Usage: ``python docs/measurements/speed/early_exit.py BENCHMARK DATA [SETTING=VALUE] [--pairs 40]
[--confidences off,off 0.95,0.99] [--unscaled] [--threads 1]``. The features of each pair are
extracted once; then the network matches them with each pair of confidences (of depth, of width) in
turns. Printed are the benchmark's figures, the processor seconds of the network and the layers that
it ran. With ``--unscaled`` line heads get similarities of endpoints as a layer gives them.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn

from gluestick.benchmarks.report.tables import figure_title, format_figure, markdown_table
from gluestick.benchmarks.run.predict import prediction_arrays
from gluestick.benchmarks.run.runner import select_pairs
from gluestick.benchmarks.tasks.protocol import Benchmark, Scores
from gluestick.benchmarks.tasks.registry import benchmark_card
from gluestick.config import load_config
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.pipeline import PointLineMatcher

Confidences = tuple[float, float]


def set_confidences(network: LightGlueStick, confidences: Confidences) -> None:
    """Change when pairs stop and which keypoints are dropped."""
    depth, width = confidences
    network.config = replace(network.config, depth_confidence=depth, width_confidence=width)


def measure(
    benchmark: Benchmark,
    *,
    num_pairs: int | None,
    settings: Sequence[Confidences],
    unscaled: bool,
) -> None:
    """Print the table."""
    matcher = PointLineMatcher.from_pretrained(max_num_keypoints=1024, max_num_lines=250)
    network = cast(LightGlueStick, matcher.network)
    if unscaled:
        plain = replace(network.config, similarity_scales=None, similarity_shifts=None)
        network.config = plain
    layers = [0]
    for transformer in network.transformers:
        cast(nn.Module, transformer).register_forward_hook(
            lambda *_: layers.__setitem__(0, layers[0] + 1)
        )
    scores: dict[Confidences, list[Scores]] = {setting: [] for setting in settings}
    seconds: dict[Confidences, list[float]] = {setting: [] for setting in settings}
    depths: dict[Confidences, list[int]] = {setting: [] for setting in settings}
    pairs = [pair for pair in benchmark.pairs() if not pair.apart]
    for pair in select_pairs(pairs, num_pairs=num_pairs):
        set_confidences(network, (-1, -1))
        wireframe0, wireframe1, _ = matcher(*benchmark.load(pair))
        for setting in settings:
            set_confidences(network, setting)
            layers[0], start = 0, time.process_time()
            matches = matcher.match(wireframe0, wireframe1)
            seconds[setting].append(time.process_time() - start)
            depths[setting].append(layers[0])
            prediction = prediction_arrays(wireframe0, wireframe1, matches)
            scores[setting].append(benchmark.score(pair, prediction))
    paths = benchmark.headline
    rows = []
    for setting in settings:
        figures = benchmark.summarize(scores[setting])
        spent = f"{min(seconds[setting]):.2f}, {np.median(seconds[setting]):.2f}"
        cells = [format_figure(path, figures.get(path, float("nan"))) for path in paths]
        name = ", ".join(f"{value:g}" if value > 0 else "off" for value in setting)
        rows.append([name, spent, f"{np.mean(depths[setting]):.1f}", *cells])
    header = ["depth, width", "s: least, median", "layers", *map(figure_title, paths)]
    print(f"{len(depths[settings[0]])} pairs of {benchmark.name}\n")
    print(markdown_table(header, rows))


def _confidences(text: str) -> Confidences:
    depth, width = (-1.0 if value == "off" else float(value) for value in text.split(","))
    return depth, width


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("benchmark")
    parser.add_argument("data", type=Path)
    parser.add_argument("settings", nargs="*")
    parser.add_argument("--pairs", type=int)
    parser.add_argument("--unscaled", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--confidences",
        type=_confidences,
        nargs="+",
        default=[(-1, -1), (0.98, 0.99), (0.95, -1), (0.95, 0.99), (0.9, 0.99), (0.8, 0.95)],
    )
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    card = benchmark_card(given.benchmark)
    measure(
        card.build(given.data, load_config(None, given.settings, defaults=card.config())),
        num_pairs=given.pairs,
        settings=given.confidences,
        unscaled=given.unscaled,
    )
