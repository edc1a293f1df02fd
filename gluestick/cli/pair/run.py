"""From the files of a pair to its matches, its geometry, and what is written about both."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gluestick.cli import options
from gluestick.cli.devices import select_device
from gluestick.cli.outputs import check_output
from gluestick.cli.pair.cameras import find_cameras
from gluestick.cli.pair.files import FILES, write_pair
from gluestick.cli.pair.inputs import load_inputs
from gluestick.cli.pair.summary import Count, count_kinds, run_record, write_json
from gluestick.cli.resources import use_threads
from gluestick.config import MatchConfig
from gluestick.match_images import pair_matches
from gluestick.pair_geometry import PairGeometry, estimate_geometry
from gluestick.storage.result_folder import files_together
from gluestick.timing import StageTimer
from gluestick.types import Matches
from gluestick.types.line_pairs import LIKELY


@dataclass(frozen=True, kw_only=True)
class PairJob:
    """What is to be matched, how, and what is to be written.

    Attributes:
        images: Two files.
        masks: For each image the file of a mask, or None.
        lines: For each image the file of segments of the user's own, or None.
        calibrations: For each image what its ``--K`` says, or None.
        settings: All settings.
        output: The folder to write to.
        pictures: Whether pictures are written.
        viewer: Whether the page is written.
        line_pairs: From which probability line matches many to many are kept; None for the
            likely ones of models that find them.
        device: What ``--device`` says.
        memory: What ``--memory`` says, or None.
        threads: What ``--threads`` says, or None.
    """

    images: tuple[Path, Path]
    masks: tuple[Path | None, Path | None]
    lines: tuple[Path | None, Path | None]
    calibrations: tuple[str | None, str | None]
    settings: MatchConfig
    output: Path
    pictures: bool
    viewer: bool
    line_pairs: float | None
    device: str
    memory: str | None
    threads: int | None


@dataclass(frozen=True, kw_only=True)
class PairReport:
    """What came of it.

    Attributes:
        counts: How much of each kind.
        estimate: The geometry.
        seconds: The seconds of each stage.
        written: The files.
        record: What is in run.json.
    """

    counts: list[Count]
    estimate: PairGeometry
    seconds: dict[str, float]
    written: list[Path]
    record: dict[str, Any]


def run_pair(job: PairJob) -> PairReport:
    """Match a pair and write its files; options and folders are checked before any work.

    Raises:
        ValueError: If an option, a file or a folder does not fit.
    """
    check_output(job.output, FILES)
    device, threads = select_device(job.device), use_threads(job.threads)
    cameras = find_cameras(job.calibrations, job.images) or (None, None)
    settings = options.within_memory(job.settings, job.images, memory=job.memory, device=device)
    timer = StageTimer()
    with timer.stage("loading"):
        inputs = load_inputs(job.images, job.masks, job.lines)
        matcher = options.load_matcher(settings).to(device)
    result = matcher(*inputs.images, **inputs.options(), timer=timer)
    result = (*result[:2], _kept_line_pairs(result[2], job.line_pairs))
    with timer.stage("estimation"):
        estimate = estimate_geometry(
            pair_matches(*result),
            geometry=settings.geometry,
            camera0=cameras[0],
            camera1=cameras[1],
            max_error=settings.max_error,
            homography_solver=settings.homography_solver,
            fundamental_solver=settings.fundamental_solver,
        )
    counts = count_kinds(*result, estimate)
    with files_together(job.output, FILES) as folder:
        with timer.stage("writing"):
            names = write_pair(
                folder,
                [path.name for path in job.images],
                inputs.images,
                result,
                estimate,
                pictures=job.pictures,
                viewer=job.viewer,
            )
        written = [job.output / name for name in (*names, "run.json")]
        run = {
            "K": [None if camera is None else camera.K.tolist() for camera in cameras],
            "distortion": [None if camera is None else camera.distortion for camera in cameras],
            "files": [str(path) for path in written],
            "device": str(device),
            "threads": threads,
            "seconds": dict(timer.seconds),
        }
        record = run_record(job.images, result[:2], counts, estimate, settings=settings, run=run)
        write_json(folder / "run.json", record)
    return PairReport(
        counts=counts,
        estimate=estimate,
        seconds=dict(timer.seconds),
        written=written,
        record=record,
    )


def _kept_line_pairs(matches: Matches, threshold: float | None) -> Matches:
    if threshold is None and matches.line_pair_indices is None:
        return matches
    return matches.keep_line_pairs(threshold=LIKELY if threshold is None else threshold)
