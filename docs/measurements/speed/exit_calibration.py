"""How similarities of endpoints at each layer become like those of the last layer.

Usage: ``python docs/measurements/speed/exit_calibration.py PHOTOS [--pairs 12]
[--model xfeat-lsd] [--weights FILE]``. Takes views of photographs that are not held out. Of a
junction the four most alike at the last layer count; printed are scale and shift for each layer
with which their similarities have the mean and the deviation of those at the last layer, and the
correlation of both; likewise for the products of descriptors that are compared where junctions are
left out of the network.
"""

import argparse
from pathlib import Path
from typing import cast

import numpy as np
import torch

from gluestick.benchmarks.run.runner import select_pairs
from gluestick.benchmarks.tasks.planar.synthetic import SyntheticBenchmark
from gluestick.datasets.holdout import is_held_out
from gluestick.datasets.synthetic_pairs import SyntheticPairsConfig
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.slots import compare_descriptors
from gluestick.pipeline import PointLineMatcher
from gluestick.pretrained import DEFAULT_MODEL
from gluestick.viewpoint.wireframe_view import wireframe_in_view

MOST_ALIKE = 4


@torch.no_grad()
def measure(root: Path, *, num_pairs: int, model: str, weights: Path | None) -> None:
    """Print the table."""
    matcher = PointLineMatcher.from_pretrained(
        model, weights=weights, max_num_keypoints=1024, max_num_lines=250
    )
    network = cast(LightGlueStick, matcher.network)
    benchmark = SyntheticBenchmark(root, SyntheticPairsConfig(seed=1, pairs_per_photograph=1))
    trained = [pair for pair in benchmark.pairs() if not is_held_out(pair.truth.path)]
    found = []
    for pair in select_pairs(trained, num_pairs=num_pairs):
        wireframe0, wireframe1, _ = matcher(*benchmark.load(pair))
        sides = wireframe_in_view(wireframe0), wireframe_in_view(wireframe1)
        outputs = network.assign_at_layers(*sides, layers=range(network.config.num_layers))
        products = compare_descriptors(outputs[-1], *sides, scale=1.0, shift=0.0)
        similarities = torch.stack(
            [output.endpoint_similarity[0] for output in (products, *outputs)]
        )
        if similarities.shape[2] >= MOST_ALIKE:
            chosen = similarities[-1].topk(MOST_ALIKE, dim=1).indices
            found.append(
                similarities.gather(2, chosen.expand(len(similarities), -1, -1)).flatten(1)
            )
    values = torch.cat(found, dim=1).double().numpy()
    scales = values[-1].std() / values.std(axis=1)
    shifts = values[-1].mean() - scales * values.mean(axis=1)
    correlations = np.corrcoef(values)[-1]
    print(f"{len(found)} pairs\n\n| layer | scale | shift | correlation |\n|---|---|---|---|")
    names = ["descriptors", *range(1, len(values))]
    for name, *row in zip(names, scales, shifts, correlations, strict=True):
        print(f"| {name} | {row[0]:.3f} | {row[1]:.2f} | {row[2]:.3f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--weights", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    measure(given.photographs, num_pairs=given.pairs, model=given.model, weights=given.weights)
