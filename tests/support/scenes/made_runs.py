"""Runs made of invented scores, for tests of what is done with scores."""

from pathlib import Path

import numpy as np

from gluestick.benchmarks.run.runner import RESULTS, Run
from gluestick.benchmarks.run.score import read_results
from gluestick.benchmarks.run.store import PairWriter
from gluestick.benchmarks.run.summary import summarize
from gluestick.benchmarks.tasks.planar.homography import HomographyBenchmark
from gluestick.benchmarks.tasks.protocol import Pair, Scores


def make_pairs(number: int) -> list[Pair]:
    labels = ("viewpoint", "illumination", "extreme viewpoint")
    return [
        Pair(
            name=f"v_{index}/2",
            groups={"change": labels[index % 3]},
            apart=index % 3 == 2,
        )
        for index in range(number)
    ]


def make_scores(rng: np.random.Generator, *, error: float) -> Scores:
    correct = rng.uniform(size=20) < 1 / (1 + error / 4)
    scores: Scores = {
        f"{features}/corner_error": error * rng.uniform(0.5, 1.5)
        for features in ("points", "lines", "points_lines")
    }
    return scores | {
        "points/precision@1px": 0.5,
        "points/precision@3px": 0.8,
        "points/num_matches": 100.0,
        "lines/correct": correct,
        "lines/scores": rng.uniform(size=20),
        "lines/reported": rng.uniform(size=20) < 0.8,
        "lines/num_true": 25.0,
        "lines/num_matches": 16.0,
        "lines/num_judged": 16.0,
        "lines/num_overlapping": 15.0,
        "seconds_matching": 0.1 * error,
        "seconds_estimation": 0.01,
    }


def make_run(
    folder: Path, *, model: str, error: float, num_pairs: int = 12, max_error: float = 3.0
) -> Run:
    """Write ``results.h5`` with errors around a value, and return the run."""
    rng = np.random.default_rng(0)
    configuration = {
        "benchmark": "homography",
        "data_dir": "/nowhere",
        "model": model,
        "max_num_keypoints": 1024,
        "max_num_lines": 250,
        "settings": {"short_side": 480, "max_error": max_error},
    }
    with PairWriter(folder / RESULTS, configuration) as writer:
        for index, pair in enumerate(make_pairs(num_pairs)):
            groups = {f"groups/{key}": np.bytes_(label) for key, label in pair.groups.items()}
            place = {"index": index, "apart": pair.apart, "device": np.bytes_("cpu"), "threads": 1}
            writer.add(pair.name, place | groups | make_scores(rng, error=error))
    results = read_results(folder / RESULTS)
    summary = summarize(HomographyBenchmark(Path("/nowhere")), results)
    return Run(folder=folder, results=results, summary=summary)
