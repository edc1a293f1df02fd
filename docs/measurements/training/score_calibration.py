"""What a matching score means: how many matches of each score are right.

Usage: ``python docs/measurements/training/score_calibration.py RUN [RUN ...]``, where each RUN is a
folder that ``gluestick benchmark synthetic`` or ``lines3d`` wrote. All mutual best pairs count that
the truth can judge, also those below the threshold of matches. The error is the mean difference
between score and share, over 15 bins of equal width, above a score of 0.02.
"""

import argparse
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from gluestick.benchmarks.run.runner import RESULTS, SUMMARY
from gluestick.benchmarks.run.store import PairReader
from gluestick.training.calibration import calibration_error

EDGES = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
KINDS = ("points", "lines")


def scores_of(run: Path, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the scores of the candidates of all pairs, and which are right."""
    with PairReader(run / RESULTS) as results:
        pairs = [results.read(name) for name in results.names()]
    scores = np.concatenate([pair[f"{kind}/scores"] for pair in pairs])
    return scores, np.concatenate([pair[f"{kind}/correct"] for pair in pairs]) > 0


def row(scores: np.ndarray, right: np.ndarray) -> str:
    """Return the share of right matches in each range of scores, with their number."""
    cells = []
    for low, high in pairwise(EDGES):
        chosen = (scores > low) & (scores <= high)
        share = f"{100 * right[chosen].mean():.0f}%" if chosen.any() else "-"
        cells.append(f"{share} ({int(chosen.sum())})")
    return " | ".join(cells)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+")
    ranges = (f"{low:g}-{high:g}" for low, high in pairwise(EDGES))
    print(f"| data | model | | {' | '.join(ranges)} | error |")
    print(f"|{'---|' * (len(EDGES) + 3)}")
    for run in parser.parse_args().runs:
        summary = json.loads((run / SUMMARY).read_text(encoding="utf-8"))
        name = f"{summary['benchmark']}, {summary['num_pairs']} pairs"
        for kind in KINDS:
            scores, right = scores_of(run, kind)
            values = torch.from_numpy(scores), torch.from_numpy(right)
            error = calibration_error(*values, torch.ones(len(scores)))
            print(f"| {name} | {summary['model']} | {kind} | {row(scores, right)} | {error:.3f} |")


if __name__ == "__main__":
    main()
