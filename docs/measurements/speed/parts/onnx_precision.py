"""What smaller numbers cost the exported matcher: matches kept, accuracy, size and time.

Usage: ``python docs/measurements/speed/parts/onnx_precision.py FOLDER PHOTOS [--pairs
12] [--assets assets]``, where FOLDER is what ``gluestick export onnx`` wrote in single precision,
of whichever model. The matcher is written in each precision beside it, also in those that the model
is not exported in. On each pair all precisions take turns, with the same features and the line
head of the package: first those of ASSETS, then pairs made of held-out photographs, with their
average precision. One thread; needs the extra onnx.
"""

import argparse
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import onnxruntime
import torch
from torch import Tensor

from gluestick.benchmarks.run.predict import prediction_arrays
from gluestick.benchmarks.run.runner import select_pairs
from gluestick.benchmarks.tasks.protocol import Scores
from gluestick.benchmarks.tasks.registry import benchmark_card
from gluestick.config import load_config
from gluestick.export.onnx.precision import PRECISIONS, reduce_precision
from gluestick.matching.assignment import (
    MutualMatches,
    block_diagonal,
    to_matches,
    with_junctions_apart,
)
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.line_heads.endpoints import NodeAssignment
from gluestick.pipeline import PointLineMatcher
from gluestick.types import Matches, Wireframe

FIGURES = "points/ap@3px", "lines/ap"
HELD_OUT = ("holdout=true", "pairs_per_photograph=1")
onnxruntime.set_default_logger_severity(3)
Pair = tuple[Wireframe, Wireframe]


def main() -> None:
    """Print a row for each precision."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--assets", type=Path, default=Path("assets"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    about = json.loads((given.folder / "manifest.json").read_text(encoding="utf-8"))
    budgets = {name: about[name] for name in ("max_num_keypoints", "max_num_lines")}
    model = PointLineMatcher.from_pretrained(about["model"], **budgets)
    files = write_small(given.folder)
    sessions = {name: session(file) for name, file in files.items()}
    seconds: dict[str, list[float]] = {name: [] for name in files}
    matched: dict[str, list[tuple[set, set]]] = {name: [] for name in files}
    for pair in asset_pairs(model, given.assets):
        for name, graph in sessions.items():
            matches, spent = match(graph, model, pair)
            seconds[name].append(spent)
            matched[name].append((pairs_of(matches.matches0), pairs_of(matches.line_matches0)))
    scores: dict[str, list[Scores]] = {name: [] for name in files}
    card = benchmark_card("synthetic")
    benchmark = card.build(given.photos, load_config(None, HELD_OUT, defaults=card.config()))
    for held_out in select_pairs(benchmark.pairs(), num_pairs=given.pairs):
        pair = model(*benchmark.load(held_out))[:2]
        for name, graph in sessions.items():
            matches, spent = match(graph, model, pair)
            seconds[name].append(spent)
            scores[name].append(benchmark.score(held_out, prediction_arrays(*pair, matches)))
    print(f"{about['model']}, {given.pairs} held-out pairs\n")
    print("| matcher | MB | points kept | lines kept | points AP at 3 px | lines AP | s |")
    print("|---|---|---|---|---|---|---|")
    for name, file in files.items():
        kept = [
            sum(len(own[kind] & all_[kind]) for own, all_ in zip(matched[name], exact, strict=True))
            / sum(len(all_[kind]) for all_ in exact)
            for exact in [matched["float32"]]
            for kind in (0, 1)
        ]
        figures = benchmark.summarize(scores[name])
        cells = [f"{file.stat().st_size / 1e6:.1f}", *(f"{share:.1%}" for share in kept)]
        cells += [f"{100 * figures[figure]:.2f}" for figure in FIGURES]
        print(f"| {name} | {' | '.join(cells)} | {np.median(seconds[name]):.2f} |")


def write_small(folder: Path) -> dict[str, Path]:
    """Write the matcher in each precision."""
    files = {name: folder / f"matcher_{name}.onnx" for name in PRECISIONS}
    for name, file in files.items():
        shutil.copy(folder / "matcher.onnx", file)
        reduce_precision(file, name)
    return files


def session(path: Path) -> onnxruntime.InferenceSession:
    """Open a graph for one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def asset_pairs(model: PointLineMatcher, assets: Path) -> Iterator[Pair]:
    """Yield the wireframes of the pairs in a folder."""
    for name in ("leuven", "graffiti"):
        yield model.extract(assets / f"{name}_a.jpg"), model.extract(assets / f"{name}_b.jpg")


@torch.no_grad()
def match(
    graph: onnxruntime.InferenceSession, model: PointLineMatcher, pair: Pair
) -> tuple[Matches, float]:
    """Match the nodes by a graph and the lines by the package; return processor seconds as well."""
    values = {}
    for side, wireframe in enumerate(pair):
        values |= {f"{name}{side}": value.numpy() for name, value in nodes(wireframe).items()}
    start = time.process_time()
    found = graph.run(None, {node.name: values[node.name] for node in graph.get_inputs()})
    spent = time.process_time() - start
    names = (node.name for node in graph.get_outputs())
    result = dict(zip(names, map(torch.from_numpy, found), strict=True))
    junctions0, junctions1 = (int(wireframe.num_junctions[0]) for wireframe in pair)
    none = torch.full((1, junctions0 + 1, junctions1 + 1), float("-inf"))
    assignment = block_diagonal(none, result["log_assignment"])
    mutual = both_ways(result, junctions1, num_nodes1=assignment.shape[2] - 1)
    network = cast(LightGlueStick, model.network)
    similarity = result["similarity"]
    known = NodeAssignment(assignment, similarity, *(similarity.new_zeros(1, 0) for _ in "01"))
    lines = network.line_head(*pair, known, mutual)
    matches = to_matches(
        assignment,
        lines.log_assignment,
        threshold=network.config.filter_threshold,
        line_threshold=network.config.line_filter_threshold,
        nodes=mutual,
    )
    junctions = (wireframe.junction_mask for wireframe in pair)
    return with_junctions_apart(matches, *junctions), spent


def nodes(wireframe: Wireframe) -> dict[str, Tensor]:
    """Return what the matcher takes of an image."""
    junctions = int(wireframe.num_junctions[0])
    return {
        "image_size": wireframe.image_size.float(),
        "keypoints": wireframe.keypoints[:, junctions:],
        "descriptors": wireframe.descriptors[:, junctions:],
        "keypoint_mask": wireframe.keypoint_mask[:, junctions:],
        "junctions": wireframe.keypoints[:, :junctions],
        "junction_descriptors": wireframe.descriptors[:, :junctions],
        "junction_mask": wireframe.keypoint_mask[:, :junctions],
    }


def both_ways(result: dict[str, Tensor], junctions1: int, *, num_nodes1: int) -> MutualMatches:
    """Return the matches of all nodes, junctions first, from both images."""
    keypoints = result["matches"]
    partners = torch.where(keypoints > -1, keypoints + junctions1, -1)
    matches0 = torch.cat([result["junction_matches"], partners], dim=1)
    scores0 = torch.cat([result["junction_scores"], result["scores"]], dim=1)
    matches1, scores1 = torch.full((1, num_nodes1), -1), torch.zeros(1, num_nodes1)
    rows = (matches0[0] > -1).nonzero()[:, 0]
    matches1[0, matches0[0, rows]], scores1[0, matches0[0, rows]] = rows, scores0[0, rows]
    return MutualMatches(matches0, matches1, scores0, scores1)


def pairs_of(partners: Tensor) -> set[tuple[int, int]]:
    """Return the matched pairs of one pair of images."""
    return {(i, j) for i, j in enumerate(partners[0].tolist()) if j > -1}


if __name__ == "__main__":
    main()
