"""What a turn costs: recall and precision by sectors, turned pairs against the same upright.

Usage: ``python docs/measurements/speed/cost_of_turns.py TURNED UPRIGHT``, two folders that
``gluestick benchmark synthetic PHOTOS --config configs/benchmark/any_turn.yaml`` has written, the
second with ``undo_turn=true``.
"""

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from gluestick.benchmarks.run.score import read_results
from gluestick.benchmarks.tasks.outcomes import match_rates
from gluestick.benchmarks.tasks.protocol import Scores


def measure(turned: Path, upright: Path) -> None:
    """Print the table."""
    runs = [read_results(folder / "results.h5") for folder in (turned, upright)]
    by_name = [
        {pair.name: scores for pair, scores in zip(run.pairs, run.scores, strict=True)}
        for run in runs
    ]
    sectors = defaultdict(list)
    for pair in runs[0].pairs:
        sectors[pair.groups["rotation"]].append(pair.name)
    print("| turned by, degrees | pairs | points recall | points precision | lines recall ", end="")
    print("| lines precision |")
    print("|---|---|---|---|---|---|")
    for sector in sorted(sectors, key=lambda label: int(label.split("-")[0])):
        print_row(sector, [[scores[name] for name in sectors[sector]] for scores in by_name])
    print_row("all", [[scores[pair.name] for pair in runs[0].pairs] for scores in by_name])


def print_row(label: str, sides: Sequence[Sequence[Scores]]) -> None:
    """Print the rates of the turned pairs, and those of the same upright in brackets."""
    cells = []
    for kind in ("points", "lines"):
        turned, upright = (match_rates(kind, scores) for scores in sides)
        cells += [
            f"{100 * turned.recall:.1f} ({100 * upright.recall:.1f})",
            f"{100 * turned.precision:.1f} ({100 * upright.precision:.1f})",
        ]
    print(f"| {label} | {len(sides[0])} | {' | '.join(cells)} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("turned", type=Path)
    parser.add_argument("upright", type=Path)
    arguments = parser.parse_args()
    measure(arguments.turned, arguments.upright)
