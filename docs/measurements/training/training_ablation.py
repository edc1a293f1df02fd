"""What each part of the training of lines brings: one cache, equal processor time for each row.

Usage: ``python docs/measurements/training/training_ablation.py PHOTOS CACHE --output FOLDER``. Rows
start from the shipped weights and train as ``configs/train/wireframe.yaml`` says, apart from what
they are about; each takes as many steps as fit into ``--seconds`` of one core. Prints the average
precision of line matches on the held-out pairs of the cache. Rows that are finished are not trained
again, and one that was ended goes on.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import torch

from gluestick.config import load_config
from gluestick.matching.assignment import block_diagonal
from gluestick.matching.line_heads.endpoints import NodeAssignment
from gluestick.storage.atomic import atomic_path
from gluestick.training.loop import run_training
from gluestick.training.optimization import trained_parameters
from gluestick.training.runs.run import TrainConfig, build_task
from gluestick.training.tasks.line_layers import LineLayersTask
from gluestick.training.tasks.scoring_network import ScoringNetwork
from gluestick.types import Wireframe

CONFIG = Path(__file__).parents[3] / "configs" / "train" / "wireframe.yaml"
NOT_SUPERVISED = ("line_layers.nodes.junctions=0", "line_layers.nodes.lines=0")
GUIDED = ("model=aliked-lsd-guided", "line_layers.line_head=guided")
ROWS: dict[str, tuple[str, ...]] = {
    "not trained": ("line_layers.line_layers=[]",),
    "not trained, guided head": ("line_layers.line_layers=[]", *GUIDED),
    "line layers and head": (),
    "without line layers": ("line_layers.line_layers=[]",),
    "without supervised layers": NOT_SUPERVISED,
    "full attention": ("line_layers.attention=full",),
    "guided head": GUIDED,
    "without worlds": ("extraction.kind=homographies",),
    "without homographies": ("extraction.kind=worlds",),
    "half of the pairs": (),
    "without junctions in the network": ("line_layers.line_layers=[]", *NOT_SUPERVISED),
}
NUM_TIMED = 8
_RAW_SCALE, _RAW_SHIFT = 35.0, 16.0
"""What bring products of descriptors to about the values of the network's."""


class WithoutJunctions(ScoringNetwork):
    """Compares endpoints by their descriptors as they are; the network sees keypoints alone."""

    @torch.no_grad()
    def assign(self, wireframe0: Wireframe, wireframe1: Wireframe) -> tuple[NodeAssignment, ...]:
        """Match the keypoints."""
        sides = wireframe0, wireframe1
        points = self.network.assign_nodes(*(_keypoints_only(side) for side in sides))
        ends0, ends1 = (side.descriptors[:, : int(side.num_junctions.max())] for side in sides)
        none = ends0.new_full((1, ends0.shape[1] + 1, ends1.shape[1] + 1), float("-inf"))
        return (
            points._replace(
                log_assignment=block_diagonal(none, points.log_assignment),
                endpoint_similarity=_RAW_SCALE * (ends0 @ ends1.mT) + _RAW_SHIFT,
            ),
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the rows and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photographs")
    parser.add_argument("cache")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=420, help="of one core, for each row")
    parser.add_argument("--pairs", type=int, default=500, help="of the cache")
    parser.add_argument("--rows", nargs="*", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("overrides", nargs="*", help="further settings, such as loop.seed=1")
    options = parser.parse_intermixed_args(arguments)
    torch.set_num_threads(1)
    print("| | AP of lines | calibration error | pairs seen |\n|---|---|---|---|", flush=True)
    for name in options.rows:
        pairs = options.pairs // 2 if name == "half of the pairs" else options.pairs
        settings = [
            f"data.photographs={options.photographs}",
            f"cache={options.cache}",
            f"extraction.num_pairs={pairs}",
            *options.overrides,
            *ROWS[name],
        ]
        config = load_config(CONFIG, settings, defaults=TrainConfig())
        folder = options.output / name.replace(" ", "_")
        found = run_row(name, config, folder, seconds=options.seconds)
        error = found.get("calibration_error")
        print(
            f"| {name} | {100 * found['score']:.1f} | "
            f"{'-' if error is None else f'{error:.3f}'} | {found['pairs']} |",
            flush=True,
        )


def run_row(name: str, config: TrainConfig, folder: Path, *, seconds: float) -> dict:
    """Train a row, or return what it gave before."""
    done = folder / "row.json"
    if done.exists():
        return json.loads(done.read_text(encoding="utf-8"))
    task = build_task(config, say=lambda text: None)
    assert isinstance(task, LineLayersTask)
    if name == "without junctions in the network":
        task.module = WithoutJunctions(task.network)
    if name.startswith("not trained"):
        task.module.eval()
        found = {**task.validate(task.module, device=torch.device("cpu")), "pairs": 0}
    else:
        found = _trained(task, config, folder, seconds=seconds)
    with atomic_path(done) as temporary:
        temporary.write_text(json.dumps(found), encoding="utf-8")
    return found


def _trained(task: LineLayersTask, config: TrainConfig, folder: Path, *, seconds: float) -> dict:
    accumulate, plan = config.optimization.accumulate, folder / "plan.json"
    if not plan.exists():
        cost = seconds_of_a_batch(task)
        content = {"steps": max(int(seconds / (cost * accumulate)), 1), "seconds": cost}
        with atomic_path(plan) as temporary:
            temporary.write_text(json.dumps(content), encoding="utf-8")
    steps = json.loads(plan.read_text(encoding="utf-8"))["steps"]
    loop = replace(config.loop, steps=steps, validate_every=steps)
    names = [name for name, _ in trained_parameters(task.module)]
    rates = {
        part: rate
        for part, rate in config.optimization.rates.items()
        if any(name.startswith(part) for name in names)
    }
    optimization = replace(config.optimization, rates=rates)
    run_training(
        task, folder, loop=loop, optimization=optimization, resume=True, say=lambda text: None
    )
    figures = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    found = next(entry for entry in reversed(figures) if entry["kind"] == "validation")
    return {**found, "pairs": steps * accumulate * task.pairs_per_step}


def seconds_of_a_batch(task: LineLayersTask) -> float:
    """Return the processor seconds of reading a batch, its loss and its gradients."""
    batches = task.batches(0, device=torch.device("cpu"))
    started = 0.0
    for number, batch in enumerate(islice(batches, NUM_TIMED + 2)):
        if number == 2:
            started = time.process_time()
        task.loss(task.module, batch, number=number)["loss"].backward()
    task.module.zero_grad()
    return (time.process_time() - started) / NUM_TIMED


def _keypoints_only(wireframe: Wireframe) -> Wireframe:
    number = int(wireframe.num_junctions.max())
    return replace(
        wireframe,
        keypoints=wireframe.keypoints[:, number:],
        keypoint_scores=wireframe.keypoint_scores[:, number:],
        descriptors=wireframe.descriptors[:, number:],
        keypoint_mask=wireframe.keypoint_mask[:, number:],
        num_junctions=torch.zeros_like(wireframe.num_junctions),
        edge_index=wireframe.edge_index[:, :0],
    )


if __name__ == "__main__":
    main()
