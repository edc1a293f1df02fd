"""Train the line head of the default model on photographs.

Usage: ``python third_party/train_line_head.py PHOTOS``. Pairs are made from the photographs by
random homographies and changes of light, as for ``gluestick benchmark synthetic``, without those
that are held out, and matched by the default model. Writes the head to ``gluestick/weights`` and
its record to the manifest there, and prints the loss and the threshold with the best F1 score on
the pairs it was trained on.
"""

import argparse
import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePath

import numpy as np
import torch
from rich.progress import track
from safetensors.torch import save
from torch import nn

from gluestick import PointLineMatcher
from gluestick.benchmarks.tasks.protocol import Pair
from gluestick.benchmarks.tasks.synthetic import SyntheticBenchmark
from gluestick.datasets.holdout import is_held_out
from gluestick.datasets.synthetic_pairs import SyntheticPairsConfig
from gluestick.matching.assignment import mutual_matches
from gluestick.matching.line_heads.endpoints import NodeAssignment
from gluestick.matching.line_heads.guidance import point_matches
from gluestick.matching.line_heads.guided import GuidedLineHead
from gluestick.pretrained import DEFAULT_MODEL, model_card
from gluestick.storage.atomic import atomic_path
from gluestick.supervision.line_truth import line_truth_from_homography
from gluestick.training.line_head import LineHeadSample, LineHeadTrainingConfig, train_line_head
from gluestick.types import Wireframe

WEIGHTS = Path(__file__).parent.parent / "gluestick" / "weights"
NAME = "aliked-lsd-line-head.safetensors"
ORIGIN = "trained by third_party/train_line_head.py on {} pairs of {} photographs, seed {}"
BUDGETS = (512, 1024)
PAIRS_SEED = 1


class Recorder(nn.Module):
    """Stands in for a line head and keeps what it is given."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head
        self.given: tuple[Wireframe, Wireframe, NodeAssignment] | None = None

    def forward(self, *given: Wireframe | NodeAssignment) -> torch.Tensor:
        """Match the lines."""
        self.given = given
        return self.head(*given)


def choose_pairs(benchmark: SyntheticBenchmark, number: int, seed: int) -> list[Pair]:
    """Draw pairs of different photographs, from each folder equally often as far as it goes."""
    rng = np.random.default_rng(seed)
    folders: dict[str, list[Pair]] = {}
    for pair in benchmark.pairs():
        path = PurePath(pair.name.rpartition("#")[0])
        if not is_held_out(path):
            folders.setdefault(str(path.parent), []).append(pair)
    queues = [[pairs[index] for index in rng.permutation(len(pairs))] for pairs in folders.values()]
    rounds = [queue[place] for place in range(number) for queue in queues if place < len(queue)]
    return rounds[:number]


def collect(benchmark: SyntheticBenchmark, pairs: Iterable[Pair]) -> list[LineHeadSample]:
    """Match the points of the pairs, with one budget after the other."""
    config = model_card(DEFAULT_MODEL).config
    config = replace(config, lightgluestick=replace(config.lightgluestick, line_head="endpoints"))
    matchers = [
        PointLineMatcher.from_pretrained(config=config, max_num_keypoints=number)
        for number in BUDGETS
    ]
    for matcher in matchers:
        matcher.network.line_head = Recorder(matcher.network.line_head)
    samples = []
    for index, pair in enumerate(track(pairs, "matching points")):
        matcher = matchers[index % len(matchers)]
        found0, found1, _ = matcher(*benchmark.load(pair))
        wireframe0, wireframe1, nodes = matcher.network.line_head.given
        truth = line_truth_from_homography(
            found0.detected_lines,
            found1.detected_lines,
            torch.from_numpy(pair.truth.H_0to1)[None],
            image_size0=found0.image_size,
            image_size1=found1.image_size,
        )
        sample = LineHeadSample(
            wireframe0=replace(wireframe0, descriptors=wireframe0.descriptors[..., :0]),
            wireframe1=replace(wireframe1, descriptors=wireframe1.descriptors[..., :0]),
            endpoint_similarity=nodes.endpoint_similarity,
            matches=point_matches(wireframe0, wireframe1, nodes.log_assignment),
            truth=truth,
        )
        samples.append(sample)
    return samples


@torch.no_grad()
def best_threshold(head: GuidedLineHead, samples: Iterable[LineHeadSample]) -> tuple[float, float]:
    """Return the threshold with the best F1 score over all lines, and that score."""
    scores, correct, num_true = [], [], 0
    for sample in samples:
        assignment = head.match(
            sample.wireframe0, sample.wireframe1, sample.endpoint_similarity, sample.matches
        )
        found, true = mutual_matches(assignment, threshold=0.0), sample.truth.matches0
        judged = (found.matches0 > -1) & (true > -2)
        scores.append(found.scores0[judged])
        correct.append((found.matches0 == true)[judged])
        num_true += int((true > -1).sum())
    every, right = torch.cat(scores), torch.cat(correct)
    thresholds = torch.linspace(0.05, 0.95, 19)
    taken = every > thresholds[:, None]
    f1 = 2 * (taken & right).sum(1) / (taken.sum(1) + num_true)
    return float(thresholds[f1.argmax()]), float(f1.max())


def main() -> None:
    """Collect, train and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs", type=Path, help="a folder tree of photographs")
    parser.add_argument("--pairs", type=int, default=360)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    config = SyntheticPairsConfig(pairs_per_photograph=1, seed=PAIRS_SEED)
    benchmark = SyntheticBenchmark(arguments.photographs, config)
    pairs = choose_pairs(benchmark, arguments.pairs, arguments.seed)
    samples = collect(benchmark, pairs)
    head, losses = train_line_head(
        samples, config=LineHeadTrainingConfig(seed=arguments.seed), progress=track
    )
    print("loss of each epoch:", *(f"{loss:.3f}" for loss in losses))
    print("threshold {:.2f} with F1 {:.3f}".format(*best_threshold(head, samples)))
    state_dict = {f"line_head.{key}": value for key, value in head.state_dict().items()}
    content = save(state_dict)
    with atomic_path(WEIGHTS / NAME) as temporary:
        temporary.write_bytes(content)
    manifest = json.loads((WEIGHTS / "manifest.json").read_text(encoding="utf-8"))
    manifest[NAME] = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "licence": "Apache-2.0",
        "origin": ORIGIN.format(len(samples), len(pairs), arguments.seed),
        "origin_sha256": None,
    }
    with atomic_path(WEIGHTS / "manifest.json") as temporary:
        temporary.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
