"""From the scores of all pairs to ``summary.json``.

Its keys are those that the benchmark's figures name, nested at each ``/``, and

==================  =========================================================================
``benchmark``       the benchmark
``model``           the model or peer
``num_pairs``       the pairs in the overall figures
``seconds``         stage: median over all pairs; ``estimation`` is spent while scoring
``by_GROUP``        label: the same figures over the pairs with this label, with ``num_pairs``
``device``          what the predictions ran on
``threads``         on how many threads of the processor
``configuration``   everything that the figures depend on
==================  =========================================================================

Rates and areas under curves are fractions from 0 to 1, times are seconds, and what cannot be
said is ``null``.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gluestick.benchmarks.run.score import Results, stage_seconds
from gluestick.benchmarks.tasks.protocol import Benchmark, Figures, Scores
from gluestick.storage.atomic import atomic_path

Summary = dict[str, Any]
"""What ``summary.json`` holds."""


def summarize(benchmark: Benchmark, results: Results) -> Summary:
    """Combine the scores of all pairs.

    Args:
        benchmark: Knows how.
        results: The scores.

    Returns:
        The content of ``summary.json``; see the top of this module.
    """
    overall = overall_scores(results)
    summary: Summary = {
        "benchmark": benchmark.name,
        "model": results.configuration["model"],
        "num_pairs": len(overall),
        **nest(benchmark.summarize(overall)),
        "seconds": stage_seconds(results.scores),
    }
    for group, labels in group_labels(results).items():
        by_label: dict[str, Any] = {}
        for label in labels:
            scores = [
                measured
                for pair, measured in zip(results.pairs, results.scores, strict=True)
                if pair.groups.get(group) == label
            ]
            by_label[label] = {"num_pairs": len(scores), **nest(benchmark.summarize(scores))}
        summary[f"by_{group}"] = by_label
    return summary | {
        "device": ", ".join(results.devices),
        "threads": results.threads[0] if len(results.threads) == 1 else results.threads,
        "configuration": results.configuration,
    }


def overall_scores(results: Results) -> list[Scores]:
    """Return the scores of the pairs that count in the overall figures."""
    return [
        measured
        for pair, measured in zip(results.pairs, results.scores, strict=True)
        if not pair.apart
    ]


def group_labels(results: Results) -> dict[str, list[str]]:
    """Return the labels of each group, in the order of the numbers they begin with."""
    groups: dict[str, set[str]] = {}
    for pair in results.pairs:
        for group, label in pair.groups.items():
            groups.setdefault(group, set()).add(label)
    return {group: sorted(labels, key=_label_order) for group, labels in groups.items()}


def _label_order(label: str) -> tuple[float, str]:
    number = re.match(r"-?\d+(\.\d+)?", label)
    return (float(number[0]) if number else math.inf, label)


def nest(figures: Figures) -> dict[str, Any]:
    """Turn ``{"points/auc@5px": 0.5}`` into ``{"points": {"auc@5px": 0.5}}``."""
    nested: dict[str, Any] = {}
    for path, value in figures.items():
        *folders, leaf = path.split("/")
        target = nested
        for folder in folders:
            target = target.setdefault(folder, {})
        target[leaf] = value
    return nested


def figure(summary: Mapping[str, Any], path: str) -> float:
    """Return one figure of a summary, NaN where it says nothing.

    Args:
        summary: What :func:`summarize` returned, or a part of it with the same keys.
        path: Such as ``points/auc@5px``.
    """
    value: Any = summary
    for key in path.split("/"):
        value = value.get(key) if isinstance(value, Mapping) else None
    return float("nan") if value is None else float(value)


def write_json(path: Path, content: Mapping[str, Any] | Sequence[Any]) -> None:
    """Write JSON in which NaN and infinity become ``null``.

    Raises:
        OSError: If the file cannot be written; an earlier file is left as it was.
    """
    text = json.dumps(_finite(content), indent=2, allow_nan=False)
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
