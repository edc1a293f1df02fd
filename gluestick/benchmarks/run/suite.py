"""All benchmarks over one folder of data, for a model and its peers.

The folder holds ``homography/`` (HPatches' layout), ``pose/*/`` and ``depth/*/`` (one scene
each), and ``train/`` (photographs, of which the held-out ones are used, upright, turned any
way, as details of others and seen from the side); what is missing is left out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gluestick.benchmarks.run.predict import Progress, no_progress
from gluestick.benchmarks.run.runner import Run, evenly_spread, run_benchmark, select_pairs
from gluestick.benchmarks.run.speed import Speed, measure_speed
from gluestick.benchmarks.tasks.protocol import Benchmark, Pair
from gluestick.benchmarks.tasks.registry import BenchmarkCard, benchmark_card
from gluestick.datasets.synthetic_pairs import TILTS, ZOOMS
from gluestick.matching.protocols import Matcher

MAIN_BUDGET = 1024
OTHER_BUDGETS = (512, 2048)
CLOSEST_PEER = "aliked+lightglue"
"""The peer that is measured with :data:`OTHER_BUDGETS` too."""

_CALM: dict[str, Any] = {"photometric_probability": 0.0}

CHANGES_OF_VIEW: dict[str, tuple[str, dict[str, Any]]] = {
    "any_turn": ("rotation", {"max_turn": 180.0}),
    "zoom": ("zoom", {"change": "zoom", "pairs_per_photograph": len(ZOOMS)} | _CALM),
    "tilt": ("tilt", {"change": "tilt", "pairs_per_photograph": len(TILTS)} | _CALM),
}
"""The jobs in which photographs are seen in other views: by what their pairs are grouped, and the
settings."""

SPEED_PAIRS = 10

LoadMatcher = Callable[[str, int, int], Matcher]
"""Loads a matcher by name, number of keypoints and number of lines."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A benchmark on one folder of data.

    Attributes:
        name: Its name, and the folder of its files.
        benchmark: The benchmark.
        data_dir: The folder of its data.
        settings: The settings that differ from the benchmark's defaults.
        num_keypoints: The only number of keypoints to measure with, or None for all of
            :data:`MAIN_BUDGET` and :data:`OTHER_BUDGETS`.
    """

    name: str
    benchmark: str
    data_dir: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    num_keypoints: int | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The runs of a job.

    Attributes:
        job: The job.
        benchmark: Its benchmark.
        pairs: The pairs that were matched.
        runs: The runs by the number of keypoints, the main one first.
    """

    job: Job
    benchmark: Benchmark
    pairs: Sequence[Pair]
    runs: Mapping[int, Sequence[Run]]


def find_jobs(root: Path) -> list[Job]:
    """Return the benchmarks for which a folder has data.

    Args:
        root: The folder; see the top of this module.

    Returns:
        The jobs in the order of the tables.

    Raises:
        ValueError: If it has data for none.
    """
    jobs = []
    if (root / "homography").is_dir():
        jobs.append(Job(name="homography", benchmark="homography", data_dir=root / "homography"))
    for kind, benchmark in (("pose", "pose"), ("depth", "lines3d")):
        jobs += [
            Job(name=f"{kind}_{scene.name}", benchmark=benchmark, data_dir=scene)
            for scene in sorted((root / kind).glob("*/"))
            if scene.is_dir()
        ]
    if (root / "train").is_dir():
        held_out: dict[str, Any] = {"benchmark": "synthetic", "data_dir": root / "train"}
        budget = benchmark_card("synthetic").max_num_keypoints
        jobs.append(Job(name="synthetic", settings={"holdout": True}, **held_out))
        jobs += [
            Job(name=name, settings={"holdout": True} | own, num_keypoints=budget, **held_out)
            for name, (_, own) in CHANGES_OF_VIEW.items()
        ]
    if not jobs:
        raise ValueError(
            f"{root} needs some of the folders homography, pose/*, depth/* and train, found none"
        )
    return jobs


def models_by_budget(job: Job, model: str, peers: Sequence[str]) -> dict[int, list[str]]:
    """Return which matchers are measured with which number of keypoints, the main one first."""
    everything = list(dict.fromkeys([model, *peers]))
    if job.num_keypoints is not None:
        return {job.num_keypoints: everything}
    few = [name for name in everything if name in (model, CLOSEST_PEER)]
    return {MAIN_BUDGET: everything} | dict.fromkeys(OTHER_BUDGETS, few)


def run_job(
    job: Job,
    folder: Path,
    models: Mapping[int, Sequence[str]],
    load: LoadMatcher,
    *,
    num_pairs: int | None = None,
    progress: Progress = no_progress,
) -> Outcome:
    """Run one benchmark for every matcher and budget, or go on where it was stopped.

    Args:
        job: The benchmark and its data.
        folder: Where the files are written, to ``JOB/NUM_KEYPOINTS/MODEL/``.
        models: The matchers by the number of keypoints.
        load: Loads a matcher.
        num_pairs: How many pairs, or units of pairs such as queries, are taken at most; None for
            all.
        progress: Shows how far it is.

    Returns:
        The runs.

    Raises:
        ValueError: If the data or earlier files do not fit.
        OSError: If a file cannot be written.
    """
    card, benchmark = _benchmark(job)
    pairs = select_pairs(benchmark.pairs(), num_pairs=num_pairs)
    runs: dict[int, Sequence[Run]] = {}
    for num_keypoints, names in models.items():
        place = folder / job.name / str(num_keypoints)
        runs[num_keypoints] = [
            run_benchmark(
                benchmark,
                pairs,
                load(name, num_keypoints, card.max_num_lines),
                place / name,
                model=name,
                max_num_keypoints=num_keypoints,
                max_num_lines=card.max_num_lines,
                progress=progress,
            )
            for name in names
        ]
    return Outcome(job=job, benchmark=benchmark, pairs=pairs, runs=runs)


def run_speed(
    job: Job,
    names: Sequence[str],
    load: LoadMatcher,
    *,
    progress: Progress = no_progress,
) -> Speed:
    """Time matchers at the main number of keypoints on some pairs of a job.

    Args:
        job: The benchmark and its data.
        names: The matchers.
        load: Loads a matcher.
        progress: Shows how far it is.

    Returns:
        The seconds per stage.

    Raises:
        ValueError: If the data do not fit.
    """
    card, benchmark = _benchmark(job)
    pairs = evenly_spread(benchmark.pairs(), number=SPEED_PAIRS)
    matchers = {name: load(name, MAIN_BUDGET, card.max_num_lines) for name in names}
    return measure_speed(benchmark, pairs, matchers, progress=progress)


def _benchmark(job: Job) -> tuple[BenchmarkCard, Benchmark]:
    card = benchmark_card(job.benchmark)
    return card, card.build(job.data_dir, card.config(**job.settings))
