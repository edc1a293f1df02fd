"""The second step: measure stored predictions. No network runs here."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gluestick.benchmarks.run.predict import Progress, image_settings, no_progress
from gluestick.benchmarks.run.rescoring import DIGEST, KeptScores, digest, matching_entry
from gluestick.benchmarks.run.store import PairReader, PairWriter
from gluestick.benchmarks.tasks.protocol import Benchmark, Pair, Prediction, Scores

_GROUP = "groups/"
_SECONDS = "seconds_"
_STAGES = ("rotation", "keypoints", "lines", "wireframe", "matching", "estimation")


@dataclass(frozen=True, kw_only=True)
class Results:
    """The scores of all pairs of a run.

    Attributes:
        configuration: What the predictions depend on, and the whole ``settings`` of the
            benchmark.
        pairs: The pairs in the benchmark's order, without their truth.
        scores: Their scores, and the seconds of all stages.
        devices: What the predictions ran on, each once.
        threads: On how many threads, each number once.
    """

    configuration: dict[str, Any]
    pairs: list[Pair]
    scores: list[Scores]
    devices: list[str]
    threads: list[int]


def score(
    benchmark: Benchmark,
    pairs: Sequence[Pair],
    predictions: Path,
    results: Path,
    *,
    progress: Progress = no_progress,
) -> None:
    """Measure the predictions of pairs and write what comes out.

    Scores are kept pair by pair beside the file until all are there. A pair is not measured
    again if it was before, from the same prediction with the same settings and code.

    Args:
        benchmark: Knows how.
        pairs: The pairs, all of which have to be in the file.
        predictions: The file of :func:`gluestick.benchmarks.run.predict.predict`.
        results: The file to write, which replaces an earlier one in one step. An entry holds
            the scores of a pair, its place in the order, its groups and the seconds of all
            stages.
        progress: Shows how far it is.

    Raises:
        ValueError: If the predictions are damaged, or some are missing.
        OSError: If the file cannot be written.
    """
    with PairReader(predictions) as stored:
        configuration = dict(stored.configuration)
        _check_settings(benchmark, configuration, predictions)
        configuration["settings"] = asdict(benchmark.config)
        names = {pair.name for pair in pairs}
        missing = names - set(stored.names())
        if missing:
            raise ValueError(
                f"{predictions} lacks {len(missing)} of {len(pairs)} pairs, such as "
                f"{min(missing)!r}: run the benchmark again to add them"
            )
        target = Path(os.path.realpath(results))
        unfinished = target.with_name(f"{target.stem}.unfinished{target.suffix}")
        with (
            PairWriter(unfinished, configuration, replace_other=True) as writer,
            KeptScores(results) as earlier,
        ):
            if not names.issuperset(writer.names()):  # an earlier run chose other pairs
                writer.clear()
            scorer = _Scorer(benchmark, stored, predictions, configuration)
            for index, pair in enumerate(progress(pairs, f"{configuration['model']}: scoring")):
                prediction = stored.read(pair.name)
                mark = scorer.mark(pair, prediction)
                kept = matching_entry(writer, pair.name, mark)
                if kept is not None and kept["index"] == index:
                    scorer.pass_over(pair)
                    continue
                kept = kept or earlier.find(pair.name, mark)
                if kept is not None:
                    scorer.pass_over(pair)
                    entry = {**kept, "index": index}
                else:
                    entry = scorer.entry(index, pair, prediction) | {DIGEST: np.bytes_(mark)}
                writer.add(pair.name, entry)
    unfinished.replace(target)


class _Scorer:
    """Scores pairs in their order, some of which were scored before."""

    def __init__(
        self,
        benchmark: Benchmark,
        stored: PairReader,
        predictions: Path,
        configuration: Mapping[str, Any],
    ) -> None:
        self._benchmark = benchmark
        self._stored = stored
        self._path = predictions
        self._configuration = configuration
        self._marks: dict[str, bytes] = {}
        self._passed: dict[str, list[Pair]] = {}

    def mark(self, pair: Pair, prediction: Prediction) -> bytes:
        """Return what tells whether the scores of a pair would be the same as before."""
        before = self._marks.get(pair.unit, b"") if pair.unit else b""
        self._marks[pair.unit] = digest(self._configuration, pair, prediction, before)
        return self._marks[pair.unit]

    def pass_over(self, pair: Pair) -> None:
        """Leave out a pair that was scored before."""
        if pair.unit:
            self._passed.setdefault(pair.unit, []).append(pair)

    def entry(self, index: int, pair: Pair, prediction: Prediction) -> dict[str, Any]:
        """Return the scores of a pair, and what else is stored with them."""
        for before in self._passed.pop(pair.unit, []):
            self._measure(before, self._stored.read(before.name))
        measured = self._measure(pair, prediction)
        kept = {
            key: value
            for key, value in prediction.items()
            if key.startswith(_SECONDS) or key in ("device", "threads")
        }
        groups = {f"{_GROUP}{key}": np.bytes_(label.encode()) for key, label in pair.groups.items()}
        return {"index": index, "apart": pair.apart} | kept | groups | measured

    def _measure(self, pair: Pair, prediction: Prediction) -> Scores:
        try:
            return self._benchmark.score(pair, prediction)
        except KeyError as error:
            raise ValueError(f"{self._path} is damaged: {pair.name!r} has no {error}") from error


def _check_settings(benchmark: Benchmark, configuration: dict[str, Any], predictions: Path) -> None:
    own = {"benchmark": benchmark.name, "settings": image_settings(benchmark)}
    for key, needed in own.items():
        if configuration.get(key) != needed:
            raise ValueError(
                f"{predictions} was made with {key} {configuration.get(key)}, not {needed}: "
                "score it with the same, or predict anew into another folder"
            )


def read_results(path: Path) -> Results:
    """Read a file of results.

    Raises:
        ValueError: If there is no such file, or it is damaged.
    """
    with PairReader(path) as reader:
        configuration = reader.configuration
        entries = {name: reader.read(name) for name in reader.names()}
    try:
        ordered = sorted(entries.items(), key=lambda item: int(item[1]["index"]))
        pairs = [
            Pair(
                name=name,
                groups={
                    key[len(_GROUP) :]: _text(value)
                    for key, value in entry.items()
                    if key.startswith(_GROUP)
                },
                apart=bool(entry["apart"]),
            )
            for name, entry in ordered
        ]
        devices = sorted({_text(entry["device"]) for _, entry in ordered})
        threads = sorted({int(entry["threads"]) for _, entry in ordered})
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    return Results(
        configuration=configuration,
        pairs=pairs,
        scores=[_scores(entry) for _, entry in ordered],
        devices=devices,
        threads=threads,
    )


def _scores(entry: dict[str, np.ndarray]) -> Scores:
    own = ("index", "apart", "device", "threads", DIGEST)
    return {
        key: float(value) if value.ndim == 0 else value
        for key, value in entry.items()
        if key not in own and not key.startswith(_GROUP)
    }


def _text(value: np.ndarray) -> str:
    return bytes(value.item()).decode()


def stage_seconds(scores: Sequence[Scores]) -> dict[str, float]:
    """Return the median seconds of each stage, in the order in which they follow each other."""
    known = {stage: place for place, stage in enumerate(_STAGES)}
    found = {key[len(_SECONDS) :] for pair in scores for key in pair if key.startswith(_SECONDS)}
    medians = {}
    for stage in sorted(found, key=lambda stage: (known.get(stage, len(known)), stage)):
        values = [float(pair[_SECONDS + stage]) for pair in scores if _SECONDS + stage in pair]
        medians[stage] = float(np.median(values))
    return medians
