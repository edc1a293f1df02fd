"""Train the line head of the default model on photographs.

Usage: ``python -m gluestick.training.guided_head.train PHOTOS --output FOLDER``. Pairs are made
from the photographs by random homographies and changes of light, as for ``gluestick benchmark
synthetic``, without those that are held out, and matched by the default model. Writes the head
and, to the ``manifest.json`` in the same folder, its record; ``--output gluestick/weights`` puts
both where the package ships them. Prints the loss and the threshold with the best F1 score on the
pairs it was trained on.
"""

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.progress import track
from safetensors.torch import save

from gluestick.datasets.synthetic_pairs import SyntheticPairsConfig, draw_synthetic_pairs
from gluestick.matching.line_heads.guided import GuidedLineHead
from gluestick.storage.atomic import atomic_path
from gluestick.training.guided_head.head import (
    LineHeadTrainingConfig,
    best_threshold,
    train_line_head,
)
from gluestick.training.guided_head.samples import (
    choose_pairs,
    collect_samples,
    load_point_matchers,
)

NAME = "aliked-lsd-line-head.safetensors"
MANIFEST = "manifest.json"
ORIGIN = "trained by gluestick.training.guided_head.train on {} pairs of {} photographs, seed {}"
BUDGETS = (512, 1024)
PAIRS_SEED = 1


def write_line_head(head: GuidedLineHead, folder: Path, *, origin: str) -> None:
    """Write a line head and its record.

    Args:
        head: The head.
        folder: Where :data:`NAME` is written; the record is added to its :data:`MANIFEST`.
        origin: Where the weights come from.

    Raises:
        ValueError: If the manifest cannot be read.
        OSError: If a file cannot be written.
    """
    state_dict = {f"line_head.{key}": value.cpu() for key, value in head.state_dict().items()}
    content = save(state_dict)
    record = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "licence": "Apache-2.0",
        "origin": origin,
        "origin_sha256": None,
    }
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}): choose another folder") from error
    manifest[NAME] = record
    with atomic_path(folder / NAME) as temporary:
        temporary.write_bytes(content)
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Collect, train and write."""
    parser = argparse.ArgumentParser(
        prog="python -m gluestick.training.guided_head.train", description=(__doc__ or "")
    )
    parser.add_argument("photographs", type=Path, help="a folder tree of photographs")
    parser.add_argument("--output", type=Path, required=True, help="the folder to write to")
    parser.add_argument("--pairs", type=int, default=360)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", type=torch.device, default="cpu")
    options = parser.parse_args(arguments)
    config = SyntheticPairsConfig(pairs_per_photograph=1, seed=PAIRS_SEED)
    pairs = choose_pairs(
        draw_synthetic_pairs(options.photographs, config),
        num_pairs=options.pairs,
        seed=options.seed,
    )
    matchers = [matcher.to(options.device) for matcher in load_point_matchers(BUDGETS)]
    samples = collect_samples(track(pairs, "matching points"), matchers)
    head, losses = train_line_head(
        samples, config=LineHeadTrainingConfig(seed=options.seed), progress=track
    )
    print("loss of each epoch:", *(f"{loss:.3f}" for loss in losses))
    print("threshold {:.2f} with F1 {:.3f}".format(*best_threshold(head, samples)))
    origin = ORIGIN.format(len(samples), len({pair.path for pair in pairs}), options.seed)
    write_line_head(head, options.output, origin=origin)


if __name__ == "__main__":
    main()
