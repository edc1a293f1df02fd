"""Runs side by side: the difference of each pair, and how sure the difference of figures is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gluestick.benchmarks.report.tables import figure_title, format_figure, is_rate, markdown_table
from gluestick.benchmarks.run.runner import RESULTS
from gluestick.benchmarks.run.score import Results, read_results
from gluestick.benchmarks.tasks.protocol import Benchmark, Scores
from gluestick.benchmarks.tasks.registry import benchmark_of

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How one figure of a run differs from that of the first run, on the same pairs.

    Attributes:
        path: The figure, such as ``points/auc@5px``.
        first: The figure of the first run.
        other: The figure of the other run.
        low: The lower end of the 95% bootstrap interval of ``other - first``.
        high: Its upper end.
        per_pair: [N], ``other - first`` of the figure over each pair alone; NaN where a pair
            alone says nothing.
    """

    path: str
    first: float
    other: float
    low: float
    high: float
    per_pair: np.ndarray

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A run against the first one.

    Attributes:
        first: The name of the first run.
        other: The name of the other.
        pairs: The names of the pairs that both have.
        differences: One for each headline figure.
    """

    first: str
    other: str
    pairs: list[str]
    differences: list[Difference]


def compare_folders(
    folders: Sequence[Path], *, num_samples: int = 1000, seed: int = 0
) -> list[Comparison]:
    """Compare the results in folders with those in the first.

    Args:
        folders: At least two, each with a ``results.h5`` of the same benchmark.
        num_samples: How many times pairs are drawn, with repetition, for the intervals.
        seed: Decides which.

    Returns:
        One comparison for each folder but the first.

    Raises:
        ValueError: If there are fewer than two folders, a file is missing or damaged, they
            are of different benchmarks or settings, or share no pair.
    """
    if len(folders) < 2:
        raise ValueError(f"a comparison needs at least two folders, found {len(folders)}")
    if num_samples < 1:
        raise ValueError(f"num_samples needs to be at least 1, found {num_samples}")
    runs = [read_results(folder / RESULTS) for folder in folders]
    for folder, run in zip(folders, runs, strict=True):
        for key in ("benchmark", "settings"):
            if run.configuration[key] != runs[0].configuration[key]:
                raise ValueError(
                    f"{folder} and {folders[0]} differ in {key}: {run.configuration[key]} and "
                    f"{runs[0].configuration[key]}"
                )
    benchmark = benchmark_of(runs[0].configuration)
    names = _names(folders, runs)
    return [
        _compare(benchmark, runs[0], run, (names[0], name), num_samples=num_samples, seed=seed)
        for name, run in zip(names[1:], runs[1:], strict=True)
    ]


def _names(folders: Sequence[Path], runs: Sequence[Results]) -> list[str]:
    """Return the models' names, or the folders' where these are not enough."""
    models = [str(run.configuration["model"]) for run in runs]
    return models if len(set(models)) == len(models) else [str(folder) for folder in folders]


def _compare(
    benchmark: Benchmark,
    first: Results,
    other: Results,
    names: tuple[str, str],
    *,
    num_samples: int,
    seed: int,
) -> Comparison:
    scores = [
        {pair.name: own for pair, own in zip(run.pairs, run.scores, strict=True) if not pair.apart}
        for run in (first, other)
    ]
    pairs = [name for name in scores[0] if name in scores[1]]
    if not pairs:
        raise ValueError(f"{names[0]} and {names[1]} have no pair in common")
    matched = [[own[name] for name in pairs] for own in scores]
    overall = _figures(benchmark, matched, range(len(pairs)))  # [2, F]
    alone = np.stack([_figures(benchmark, matched, [index]) for index in range(len(pairs))])
    rng = np.random.default_rng(seed)
    samples = [
        np.subtract(*_figures(benchmark, matched, rng.integers(len(pairs), size=len(pairs)))[::-1])
        for _ in range(num_samples)
    ]
    intervals = [_interval(column) for column in np.array(samples).T]
    differences = [
        Difference(
            path=path,
            first=float(overall[0, index]),
            other=float(overall[1, index]),
            low=intervals[index][0],
            high=intervals[index][1],
            per_pair=alone[:, 1, index] - alone[:, 0, index],
        )
        for index, path in enumerate(benchmark.headline)
    ]
    return Comparison(first=names[0], other=names[1], pairs=pairs, differences=differences)


def _interval(values: np.ndarray) -> tuple[float, float]:
    """Return the interval that holds the middle 95% of values [K], apart from NaN."""
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return float("nan"), float("nan")
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)


def _figures(
    benchmark: Benchmark, runs: Sequence[Sequence[Scores]], chosen: Sequence[int] | np.ndarray
) -> np.ndarray:
    """Return the headline figures [R, F] of runs over the chosen pairs."""
    summaries = [benchmark.summarize([scores[index] for index in chosen]) for scores in runs]
    return np.array([[summary[path] for path in benchmark.headline] for summary in summaries])


def comparison_table(comparison: Comparison) -> str:
    """Return a comparison as a Markdown table."""
    header = [
        f"{len(comparison.pairs)} pairs",
        comparison.first,
        comparison.other,
        "difference",
        "95% interval",
        "pairs higher / lower",
    ]
    rows = []
    for one in comparison.differences:
        scale = 100 if is_rate(one.path) else 1
        change, low, high = (scale * value for value in (one.other - one.first, one.low, one.high))
        higher, lower = (one.per_pair > 0).sum(), (one.per_pair < 0).sum()
        rows.append(
            [
                figure_title(one.path),
                format_figure(one.path, one.first),
                format_figure(one.path, one.other),
                f"{change:+.1f}{' *' if one.is_clear else ''}",
                f"{low:+.1f} to {high:+.1f}",
                f"{higher} / {lower}",
            ]
        )
    return markdown_table(header, rows)


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as JSON values, with the difference of each pair."""
    return {
        "first": comparison.first,
        "other": comparison.other,
        "num_pairs": len(comparison.pairs),
        "confidence": CONFIDENCE,
        "figures": {
            one.path: {
                "first": one.first,
                "other": one.other,
                "difference": one.other - one.first,
                "low": one.low,
                "high": one.high,
                "per_pair": dict(zip(comparison.pairs, one.per_pair.tolist(), strict=True)),
            }
            for one in comparison.differences
        },
    }
