"""How right the probabilities are that the line head gives to pairs of lines.

Usage: ``python docs/measurements/training/line_calibration.py PHOTOS [--model NAME] [--pairs 40]``.
Pairs of both kinds that training never sees, from the held-out photographs of the folder, with
random light and budgets of keypoints and lines, seed 0. Printed for each kind: how many pairs of
lines there are from the least probability that counts, the expected calibration error over 15 bins,
and the average precision of telling the same lines from others.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.line_heads.same_line import SameLineHead
from gluestick.pipeline import PointLineMatcher
from gluestick.training.calibration import average_precision, calibration_error
from gluestick.training.examples.extraction import Extraction
from gluestick.training.examples.extraction_config import ExtractionConfig
from gluestick.training.examples.pairs import DataConfig
from gluestick.training.examples.rows import join_rows

KINDS = {"homographies": (1.0, 0.0), "worlds": (0.0, 1.0)}
LEAST = 0.02
BATCH_SIZE = 4


@torch.no_grad()
def main(photographs: Path, model: str, pairs: int) -> None:
    """Print the table."""
    print("| pairs | line pairs | calibration error | average precision |")
    print("|---|---|---|---|")
    matcher = PointLineMatcher.from_pretrained(model, max_num_keypoints=2048)
    assert isinstance(matcher.network, LightGlueStick)
    head = matcher.network.line_head
    if not isinstance(head, SameLineHead):
        raise SystemExit(f"{model} does not judge pairs of lines: name a model that does")
    for kind, (homographies, worlds) in KINDS.items():
        data = replace(
            DataConfig(photographs=str(photographs)), homographies=homographies, worlds=worlds
        )
        extraction = Extraction(matcher, data, ExtractionConfig(batch_size=BATCH_SIZE))
        numbers = range(-(-pairs // BATCH_SIZE))
        batches = extraction.batches(numbers, device=torch.device("cpu"), held_out=True)
        rows = join_rows(
            [
                extraction.rows(batch, number=number, held_out=True)
                for number, batch in enumerate(batches)
            ],
            device="cpu",
        )
        probabilities = head.score(rows.features.float())[:, 0].sigmoid()
        weight = rows.weight.float()
        counted = int(weight[probabilities >= LEAST].sum())
        error = calibration_error(probabilities, rows.same, weight, least=LEAST)
        precision = average_precision(probabilities, rows.same, weight)
        cells = (kind, f"{counted:,}", f"{error:.3f}", f"{100 * precision:.1f}")
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--model", default="aliked-lsd")
    parser.add_argument("--pairs", type=int, default=40)
    arguments = parser.parse_args()
    main(arguments.photographs, arguments.model, arguments.pairs)
