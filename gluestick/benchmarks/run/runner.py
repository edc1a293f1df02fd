"""A benchmark from pairs to a summary, for one matcher."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TypeVar

import numpy as np

from gluestick.benchmarks.run.predict import (
    Progress,
    no_progress,
    predict,
    run_configuration,
)
from gluestick.benchmarks.run.score import Results, read_results, score
from gluestick.benchmarks.run.summary import Summary, summarize, write_json
from gluestick.benchmarks.tasks.protocol import Benchmark, Pair
from gluestick.matching.protocols import Matcher

Item = TypeVar("Item")

PREDICTIONS = "predictions.h5"
RESULTS = "results.h5"
SUMMARY = "summary.json"


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one matcher achieved in a benchmark.

    Attributes:
        folder: Holds ``predictions.h5``, ``results.h5`` and ``summary.json``.
        results: The scores of all pairs.
        summary: The figures.
    """

    folder: Path
    results: Results
    summary: Summary

    @property
    def model(self) -> str:
        """The name of the matcher."""
        return str(self.summary["model"])


def select_pairs(pairs: Sequence[Pair], *, num_pairs: int | None) -> list[Pair]:
    """Return some of the pairs, evenly spread over their order.

    Pairs of one unit, such as those of a query with its references, are taken together, and
    count as one.

    Args:
        pairs: All pairs; those of a unit follow each other.
        num_pairs: How many pairs and units at most; None for all.

    Returns:
        The pairs in the same order.

    Raises:
        ValueError: If ``num_pairs`` is not positive.
    """
    units: dict[str, list[Pair]] = {}
    for number, pair in enumerate(pairs):
        units.setdefault(f"unit {pair.unit}" if pair.unit else str(number), []).append(pair)
    return list(chain(*evenly_spread(list(units.values()), number=num_pairs)))


def evenly_spread(items: Sequence[Item], *, number: int | None) -> list[Item]:
    """Return some items of a sequence in their order, the first and the last among them.

    Args:
        items: The items.
        number: How many at most; None for all.

    Returns:
        The items.

    Raises:
        ValueError: If the number is not positive.
    """
    if number is not None and number < 1:
        raise ValueError(f"num_pairs needs to be at least 1, found {number}")
    if number is None or number >= len(items):
        return list(items)
    chosen = np.linspace(0, len(items) - 1, number).round().astype(int)
    return [items[index] for index in chosen]


def run_benchmark(
    benchmark: Benchmark,
    pairs: Sequence[Pair],
    matcher: Matcher,
    folder: Path,
    *,
    model: str,
    max_num_keypoints: int | None,
    max_num_lines: int | None,
    progress: Progress = no_progress,
) -> Run:
    """Predict what is missing, score everything and write the summary.

    Args:
        benchmark: Loads and scores the pairs.
        pairs: The pairs.
        matcher: What is measured.
        folder: Where the files are written.
        model: The name of the matcher.
        max_num_keypoints: How many keypoints it keeps per image.
        max_num_lines: How many lines it keeps per image.
        progress: Shows how far it is.

    Returns:
        The scores and the figures.

    Raises:
        ValueError: If the folder holds predictions of another run or damaged ones, or an image
            cannot be read.
        OSError: If a file cannot be written.
    """
    configuration = run_configuration(
        benchmark,
        matcher,
        model=model,
        max_num_keypoints=max_num_keypoints,
        max_num_lines=max_num_lines,
    )
    predictions = folder / PREDICTIONS
    predict(benchmark, pairs, matcher, predictions, configuration=configuration, progress=progress)
    return score_predictions(benchmark, pairs, folder, progress=progress)


def score_predictions(
    benchmark: Benchmark, pairs: Sequence[Pair], folder: Path, *, progress: Progress = no_progress
) -> Run:
    """Score the predictions in a folder and write the results and the summary.

    Arguments, result and errors are those of :func:`run_benchmark`.
    """
    score(benchmark, pairs, folder / PREDICTIONS, folder / RESULTS, progress=progress)
    results = read_results(folder / RESULTS)
    summary = summarize(benchmark, results)
    write_json(folder / SUMMARY, summary)
    return Run(folder=folder, results=results, summary=summary)
