"""The first step: run a matcher on every pair and store what it finds."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gluestick.benchmarks.run.hardware import device_name
from gluestick.benchmarks.run.store import Configuration, PairWriter
from gluestick.benchmarks.tasks.protocol import Benchmark, Pair, Prediction
from gluestick.export.arrays import pair_arrays
from gluestick.matching.assignment import mutual_matches
from gluestick.matching.protocols import Matcher
from gluestick.storage.fingerprints import fingerprint
from gluestick.timing import StageTimer
from gluestick.types import Matches, Wireframe

Progress = Callable[[Sequence[Pair], str], Iterable[Pair]]
"""Passes the pairs on, one after the other, and shows how far it is under a title."""


def no_progress(pairs: Sequence[Pair], title: str) -> Iterable[Pair]:
    """Pass the pairs on and show nothing."""
    return pairs


def run_configuration(
    benchmark: Benchmark,
    matcher: Matcher,
    *,
    model: str,
    max_num_keypoints: int | None,
    max_num_lines: int | None,
) -> Configuration:
    """Return what predictions depend on.

    Args:
        benchmark: The pairs.
        matcher: What matches them; its weights and options enter as a fingerprint.
        model: Its name.
        max_num_keypoints: How many keypoints it keeps per image.
        max_num_lines: How many lines it keeps per image.

    Returns:
        JSON values by name.
    """
    return {
        "benchmark": benchmark.name,
        "data_dir": str(benchmark.data_dir.resolve()),
        "model": model,
        "fingerprint": fingerprint(matcher),
        "max_num_keypoints": max_num_keypoints,
        "max_num_lines": max_num_lines,
        "settings": image_settings(benchmark),
    }


def image_settings(benchmark: Benchmark) -> dict[str, Any]:
    """Return the settings of a benchmark on which its images depend, as JSON values."""
    return {
        key: value
        for key, value in asdict(benchmark.config).items()
        if key not in benchmark.scoring_fields
    }


def predict(
    benchmark: Benchmark,
    pairs: Sequence[Pair],
    matcher: Matcher,
    path: Path,
    *,
    configuration: Configuration,
    progress: Progress = no_progress,
) -> int:
    """Match the pairs that a file does not hold yet, and add them to it.

    The first of them is matched twice, and the first time is not counted, so that the seconds
    of the stages leave out what happens only once.

    Args:
        benchmark: Loads the images.
        pairs: The pairs.
        matcher: What matches them.
        path: The HDF5 file; see :mod:`gluestick.benchmarks.run.store`. It can be stopped at any
            time, also killed outright, and keeps every pair that was finished.
        configuration: What the predictions depend on.
        progress: Shows how far it is.

    Returns:
        How many pairs were added.

    Raises:
        ValueError: If the file is damaged, comes from another run or is written by another
            process, or an image cannot be read.
        OSError: If the file cannot be written.
    """
    with PairWriter(path, configuration) as writer:
        missing = [pair for pair in pairs if pair.name not in writer]
        if missing:
            matcher(*benchmark.load(missing[0]), timer=StageTimer())
        for pair in progress(missing, f"{configuration['model']}: matching"):
            writer.add(pair.name, _predict_pair(matcher, *benchmark.load(pair)))
    return len(missing)


def _predict_pair(matcher: Matcher, image0: Tensor, image1: Tensor) -> Prediction:
    timer = StageTimer()
    wireframe0, wireframe1, matches = matcher(image0, image1, timer=timer)
    arrays = prediction_arrays(wireframe0, wireframe1, matches)
    seconds = {f"seconds_{stage}": np.array(value) for stage, value in timer.seconds.items()}
    # Peers may hand over matches on the CPU that they found elsewhere.
    name = device_name(matcher.device)
    return (
        arrays
        | seconds
        | {
            "device": np.bytes_(name.encode()),
            "threads": np.array(torch.get_num_threads()),
        }
    )


def prediction_arrays(
    wireframe0: Wireframe, wireframe1: Wireframe, matches: Matches
) -> dict[str, np.ndarray]:
    """Return what scoring needs of one pair.

    Args:
        wireframe0: The wireframe of image 0, a batch of one.
        wireframe1: The wireframe of image 1.
        matches: The matches between them.

    Returns:
        For each image, with suffix 0 or 1: ``image_size0`` [2], ``keypoints0`` [N0, 2] px,
        ``keypoint_scores0`` [N0], ``matches0`` [N0], ``matching_scores0`` [N0], without the
        junctions where they are reported apart, ``lines0`` [L0, 2, 2] px, ``line_scores0``
        [L0], ``line_matches0`` [L0], ``line_matching_scores0`` [L0]; and for image 0
        ``candidate_matches0`` [N0] and ``candidate_line_matches0`` [L0], the mutually best
        partners before any threshold. Of an image that was resized before features were found
        also ``resize_scale0`` [], by what.
    """
    arrays = pair_arrays(wireframe0, wireframe1, matches)
    apart = matches.junction_matches0 is not None
    first = [
        int(wireframe.num_junctions[0]) if apart else 0 for wireframe in (wireframe0, wireframe1)
    ]
    assignment = matches.log_assignment[:, first[0] :, first[1] :]
    candidates = mutual_matches(assignment, threshold=0.0)
    line_candidates = mutual_matches(matches.line_log_assignment, threshold=0.0)
    kept: dict[str, np.ndarray] = {}
    for side in (0, 1):
        for name in ("keypoints", "keypoint_scores", "matching_scores"):
            kept[f"{name}{side}"] = arrays[f"{name}{side}"][first[side] :]
        partners = arrays[f"matches{side}"][first[side] :]
        kept[f"matches{side}"] = np.where(partners > -1, partners - first[1 - side], -1)
        for name in ("image_size", "lines", "line_scores", "line_matches", "line_matching_scores"):
            kept[f"{name}{side}"] = arrays[f"{name}{side}"]
    for side, wireframe in enumerate((wireframe0, wireframe1)):
        if wireframe.scales[0] != 1:
            kept[f"resize_scale{side}"] = np.array(wireframe.scales[0])
    num_points, num_lines = len(kept["matches0"]), len(kept["line_matches0"])
    kept["candidate_matches0"] = candidates.matches0[0, :num_points].cpu().numpy()
    kept["candidate_line_matches0"] = line_candidates.matches0[0, :num_lines].cpu().numpy()
    return kept
