"""From the images of a pair and a matcher to the files of the pair, and what is in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from gluestick.config import MatchConfig
from gluestick.match_images import pair_matches
from gluestick.matching.protocols import Matcher
from gluestick.pair_geometry import PairGeometry, PairMatches, estimate_geometry
from gluestick.pair_run.files import FILES, write_pair
from gluestick.pair_run.summary import Count, count_kinds, run_record, write_json
from gluestick.storage.result_folder import files_together
from gluestick.timing import StageTimer
from gluestick.types import Camera, Matches
from gluestick.types.line_pairs import LIKELY


@dataclass(frozen=True, kw_only=True)
class PairFiles:
    """What is written about a pair, and how it is named.

    Attributes:
        images: What the two images are called in run.json; the last parts of these paths stand
            in the pictures.
        output: The folder to write to.
        named_output: How run.json names this folder; None for ``output``.
        pictures: Whether points.png and lines.png are written.
        overlay: Whether overlay.png is written where the geometry is trusted.
        viewer: Whether viewer.html is written.
        line_pairs: From which probability line matches many to many are kept; None for the
            likely ones of models that find them.
    """

    images: tuple[Path, Path]
    output: Path
    named_output: Path | None = None
    pictures: bool = True
    overlay: bool = False
    viewer: bool = False
    line_pairs: float | None = None


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
    record: dict[str, Any] = field(repr=False)


def match_into_files(
    matcher: Matcher,
    images: tuple[Tensor, Tensor],
    files: PairFiles,
    *,
    settings: MatchConfig,
    cameras: Sequence[Camera | None] = (None, None),
    given: Mapping[str, Any] | None = None,
    timer: StageTimer | None = None,
    threads: int | None = None,
) -> PairReport:
    """Match two images, estimate what relates them, and write the files together.

    Args:
        matcher: What matches.
        images: Both images [3, H, W] in [0, 1], RGB.
        files: What is written.
        settings: All settings, with which ``matcher`` was loaded.
        cameras: The calibrations of both images, or None for both.
        given: What else the matcher is told about the images, such as masks.
        timer: Seconds that are spent already.
        threads: How many threads compute, for the record.

    Raises:
        ValueError: If an image or an option does not fit.
        OSError: If the files cannot be written; earlier ones are left as they were.
    """
    timer = timer or StageTimer()
    result = matcher(*images, **(given or {}), timer=timer)
    result = (*result[:2], _kept_line_pairs(result[2], files.line_pairs))
    with timer.stage("estimation"):
        estimate = _estimate(pair_matches(*result), settings, cameras)
    counts = count_kinds(*result, estimate)
    with files_together(files.output, FILES) as folder:
        with timer.stage("writing"):
            names = write_pair(
                folder,
                [path.name for path in files.images],
                images,
                result,
                estimate,
                pictures=files.pictures,
                overlay=files.overlay,
                viewer=files.viewer,
            )
        names.append("run.json")
        named = files.output if files.named_output is None else files.named_output
        run = {
            **_calibrations(cameras),
            "files": [str(named / name) for name in names],
            "device": str(matcher.device),
            "threads": threads,
            "seconds": dict(timer.seconds),
        }
        record = run_record(files.images, result[:2], counts, estimate, settings=settings, run=run)
        write_json(folder / "run.json", record)
    return PairReport(
        counts=counts,
        estimate=estimate,
        seconds=dict(timer.seconds),
        written=[files.output / name for name in names],
        record=record,
    )


def _estimate(
    matches: PairMatches, settings: MatchConfig, cameras: Sequence[Camera | None]
) -> PairGeometry:
    return estimate_geometry(
        matches,
        geometry=settings.geometry,
        camera0=cameras[0],
        camera1=cameras[1],
        max_error=settings.max_error,
        homography_solver=settings.homography_solver,
        fundamental_solver=settings.fundamental_solver,
    )


def _calibrations(cameras: Sequence[Camera | None]) -> dict[str, Any]:
    return {
        "K": [None if camera is None else camera.K.tolist() for camera in cameras],
        "distortion": [None if camera is None else camera.distortion for camera in cameras],
    }


def _kept_line_pairs(matches: Matches, threshold: float | None) -> Matches:
    if threshold is None and matches.line_pair_indices is None:
        return matches
    return matches.keep_line_pairs(threshold=LIKELY if threshold is None else threshold)
