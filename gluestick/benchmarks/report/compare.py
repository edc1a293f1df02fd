"""Runs side by side: the difference of each pair, and how sure the difference of figures is."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import stats

from gluestick.benchmarks.run.runner import RESULTS
from gluestick.benchmarks.run.score import Results, read_results
from gluestick.benchmarks.run.suite import CLOSEST_PEER, Outcome
from gluestick.benchmarks.tasks.protocol import Benchmark, Scores
from gluestick.benchmarks.tasks.registry import benchmark_of

CONFIDENCE = 0.95
PEER_SAMPLES = 200
"""Bootstrap samples for each interval of :func:`compare_with_peer`."""

LINE_PEER = "endpoint-descriptors+mutual-nn"

POINT_FIGURES: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "homography": ("points/auc@1px", "points/auc@3px", "points/auc@5px"),
        "pose": ("poselib/auc@5", "poselib/auc@10", "poselib/auc@20"),
        "lines3d": ("points/ap@5px",),
        "synthetic": ("points/ap@3px", "points/precision@3px", "points/recall@3px"),
    }
)
"""By benchmark, what tells how good the points are."""

LINE_FIGURES: Mapping[str, Sequence[str]] = MappingProxyType(
    dict.fromkeys(("homography", "lines3d", "synthetic"), ("lines/ap",))
)
"""By benchmark, what tells how good the lines are."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How one figure of a run differs from that of the first run, on the same pairs.

    Attributes:
        path: The figure, such as ``points/auc@5px``.
        first: The figure of the first run.
        other: The figure of the other run.
        low: The lower end of the 95% bootstrap interval of ``other - first``; NaN where it
            cannot be said.
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
    names = _names(folders, runs)
    return [
        _compare(runs[0], run, names=(names[0], name), num_samples=num_samples, seed=seed)
        for name, run in zip(names[1:], runs[1:], strict=True)
    ]


def compare_with_peer(
    outcomes: Sequence[Outcome],
    *,
    peer: str = CLOSEST_PEER,
    figures: Mapping[str, Sequence[str]] = POINT_FIGURES,
) -> list[tuple[str, Difference]]:
    """Compare the first model of each job with a peer.

    Args:
        outcomes: What was measured.
        peer: The peer, which stands first in the differences.
        figures: The figures to compare, by benchmark.

    Returns:
        The job and the number of keypoints, such as ``homography, 1024``, and how a figure of the
        model differs; nothing where the peer was not measured.
    """
    found = []
    for outcome in outcomes:
        paths = figures.get(outcome.job.benchmark, ())
        for num_keypoints, runs in outcome.runs.items():
            others = [run for run in runs if run.model == peer]
            if not others or others[0] is runs[0] or not paths:
                continue
            comparison = _compare(
                others[0].results,
                runs[0].results,
                names=(peer, runs[0].model),
                num_samples=PEER_SAMPLES,
            )
            by_path = {one.path: one for one in comparison.differences}
            label = f"{outcome.job.name}, {num_keypoints}"
            found += [(label, by_path[path]) for path in paths if path in by_path]
    return found


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


def _names(folders: Sequence[Path], runs: Sequence[Results]) -> list[str]:
    """Return the models' names, or the folders' where these are not enough."""
    models = [str(run.configuration["model"]) for run in runs]
    return models if len(set(models)) == len(models) else [str(folder) for folder in folders]


def _compare(
    first: Results, other: Results, *, names: tuple[str, str], num_samples: int, seed: int = 0
) -> Comparison:
    benchmark = benchmark_of(first.configuration)
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
    low, high = _intervals(benchmark, matched, num_samples=num_samples, seed=seed)
    differences = [
        Difference(
            path=path,
            first=float(overall[0, index]),
            other=float(overall[1, index]),
            low=float(low[index]),
            high=float(high[index]),
            per_pair=alone[:, 1, index] - alone[:, 0, index],
        )
        for index, path in enumerate(benchmark.headline)
    ]
    return Comparison(first=names[0], other=names[1], pairs=pairs, differences=differences)


def _intervals(
    benchmark: Benchmark, runs: Sequence[Sequence[Scores]], *, num_samples: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends [F] of the intervals of the second run's figures minus the first run's."""
    number = len(runs[0])
    if number < 2:
        unknown = np.full(len(benchmark.headline), np.nan)
        return unknown, unknown

    def difference(chosen: np.ndarray) -> np.ndarray:
        first, second = _figures(benchmark, runs, chosen)
        return second - first

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        drawn = stats.bootstrap(
            (np.arange(number),),
            difference,
            n_resamples=num_samples,
            vectorized=False,
            method="percentile",
            confidence_level=CONFIDENCE,
            random_state=np.random.default_rng(seed),
        ).bootstrap_distribution  # [F, num_samples]
        # Scipy's own interval is NaN as soon as one draw says nothing, such as one without a match.
        tail = 50 * (1 - CONFIDENCE)
        known = np.where(np.isfinite(drawn), drawn, np.nan)
        low, high = np.nanpercentile(known, [tail, 100 - tail], axis=-1)
    return low, high


def _figures(
    benchmark: Benchmark, runs: Sequence[Sequence[Scores]], chosen: Sequence[int] | np.ndarray
) -> np.ndarray:
    """Return the headline figures [R, F] of runs over the chosen pairs."""
    summaries = [benchmark.summarize([scores[index] for index in chosen]) for scores in runs]
    return np.array([[summary[path] for path in benchmark.headline] for summary in summaries])
