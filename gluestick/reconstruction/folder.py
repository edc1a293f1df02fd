"""A folder of photographs to a COLMAP database and sparse models, to be stopped and gone on with.

In the folder of results lie, in the order in which they are made: ``retrieval.h5`` where
photographs are compared, ``features.h5`` and ``matches.h5`` (:mod:`gluestick.export.hloc_folder`),
``database.db``, ``sparse/0`` with the largest model, further ones in ``sparse/1`` and so on,
``points.ply``, ``lines.ply``, ``lines.obj`` and ``lines.json`` with the line map of the largest
model, ``report.html`` and ``reconstruction.json``. Each step takes up what an earlier run has
finished.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gluestick.datasets.posed.formats.colmap_model import import_pycolmap
from gluestick.export.folder_images import Progress, no_progress
from gluestick.export.hloc_folder import HlocFolder, export_hloc_folder
from gluestick.export.workers.protocol import Workers
from gluestick.pipeline import PointLineMatcher
from gluestick.reconstruction.colmap.database import check_database
from gluestick.reconstruction.colmap.images import check_cameras
from gluestick.reconstruction.filled_database import FilledDatabase, fill_database
from gluestick.reconstruction.inputs import (
    Given,
    ReconstructionConfig,
    ReconstructionInputs,
    check_settings,
    database_settings,
    read_given,
    write_settings,
)
from gluestick.reconstruction.lines.files import remove_line_map
from gluestick.reconstruction.lines.making import LINES, line_map_record, make_lines
from gluestick.reconstruction.lines.values import LineMap
from gluestick.reconstruction.models import ModelFiles, ModelTask, make_models
from gluestick.reconstruction.outcome import (
    Record,
    model_record,
    photograph_records,
    write_json,
)
from gluestick.reconstruction.pairs.selection import choose_pairs
from gluestick.reconstruction.report import write_report
from gluestick.storage.fingerprints import text_fingerprint
from gluestick.timing import StageTimer

RECORD = "reconstruction.json"
"""What came of it."""

REPORT = "report.html"
"""What came of it, to look at."""


@dataclass(frozen=True, kw_only=True)
class Reconstruction:
    """What :func:`reconstruct` made.

    Attributes:
        features: hloc's feature file, also with the lines.
        matches: hloc's match file, also with those of the lines.
        database: COLMAP's database.
        model: The folder of the largest model.
        points: Its points as PLY.
        lines: Its line map as JSON, beside which lie ``lines.ply`` and ``lines.obj``; None where
            none was asked for.
        report: A page that shows all this.
        record: What is in ``reconstruction.json``.
    """

    features: Path
    matches: Path
    database: Path
    model: Path
    points: Path
    lines: Path | None
    report: Path
    record: Record


def reconstruct(
    matcher: PointLineMatcher,
    inputs: ReconstructionInputs,
    *,
    model: str,
    config: ReconstructionConfig | None = None,
    strict: bool = False,
    workers: Workers | None = None,
    timer: StageTimer | None = None,
    progress: Progress = no_progress,
) -> Reconstruction:
    """Reconstruct the cameras and points of a folder of photographs.

    What an earlier run into the same folder has finished is kept, provided that it comes from
    the same photographs and settings.

    Args:
        matcher: It finds and matches points and lines; its ``view`` says how turned photographs
            are dealt with, and whether pairs that match next to nothing are matched in further
            views.
        inputs: The folders and files.
        model: The name of the matcher, which is kept with what it finds.
        config: The options.
        strict: Whether a photograph or a pair that cannot be used is an error.
        workers: Who finds features and matches; None for this process.
        timer: Where the seconds of the steps are added up.
        progress: Shows how far it is.

    Returns:
        The files and the record.

    Raises:
        ValueError: If the photographs or files do not fit, or no two photographs can be placed.
        OSError: If a file cannot be written.
        ImportError: If pycolmap is missing.
    """
    import_pycolmap("a reconstruction")
    config, timer = config or ReconstructionConfig(), timer or StageTimer()
    given = read_given(inputs)
    settings = database_settings(given, config)
    check_settings(inputs, settings)
    check_database(inputs.database_file)
    check_cameras(config.cameras, {}, {})
    with timer.stage("pairs"):
        wanted = given.within(
            choose_pairs(
                inputs.image_dir,
                inputs.output / "retrieval.h5",
                config=config.pairs,
                pairs_file=inputs.pairs_file,
                progress=progress,
            )
        )
    with timer.stage("features and matches"):
        exported = export_hloc_folder(
            matcher,
            inputs.image_dir,
            wanted,
            inputs.output,
            model=model,
            mask_dir=inputs.mask_dir,
            views=config.views,
            strict=strict,
            workers=workers,
            progress=progress,
        )
    write_settings(inputs, settings)
    with timer.stage("COLMAP database"):
        filled = fill_database(inputs, exported, wanted, given.known, config, progress)
    with timer.stage("model"):
        files = make_models(_task(inputs, config, given, settings, filled), progress=progress)
    with timer.stage("lines"):
        lines = _lines(inputs.output, config, files, filled.pairs, exported, progress)
    record = _record(inputs.image_dir, given, files, filled.pairs, exported)
    record["line_map"] = None if lines is None else line_map_record(lines)
    _write_outcome(inputs, files, lines, record, timer)
    if not files.models:
        raise ValueError(_no_model(inputs.output, len(given.names), filled.pairs))
    return Reconstruction(
        features=exported.features,
        matches=exported.matches,
        database=filled.path,
        model=files.folder / "0",
        points=inputs.output / "points.ply",
        lines=None if lines is None else inputs.output / LINES,
        report=inputs.output / REPORT,
        record=record,
    )


def _task(
    inputs: ReconstructionInputs,
    config: ReconstructionConfig,
    given: Given,
    settings: Record,
    filled: FilledDatabase,
) -> ModelTask:
    verified = {name for pair in filled.pairs if pair["num_inliers"] for name in pair["names"]}
    return ModelTask(
        image_dir=inputs.image_dir,
        output=inputs.output,
        database=filled.path,
        names=sorted(verified),
        posed=given.posed,
        constant_cameras=filled.known_cameras,
        made_from=text_fingerprint(json.dumps([filled.made_from, settings], sort_keys=True)),
        # two photographs have no points that a third one sees
        mapping=replace(config.mapping, two_view_tracks=True)
        if len(verified) == 2
        else config.mapping,
        refinement=config.refinement,
    )


def _lines(
    output: Path,
    config: ReconstructionConfig,
    files: ModelFiles,
    pairs: Sequence[Record],
    exported: HlocFolder,
    progress: Progress,
) -> LineMap | None:
    if config.lines is None or not files.models:
        remove_line_map(output)
        return None
    return make_lines(
        files.models[0],
        exported.features,
        exported.matches,
        [(first, second) for first, second in (pair["names"] for pair in pairs)],
        output,
        model_digest=files.made_from,
        config=config.lines,
        progress=progress,
    )


def _write_outcome(
    inputs: ReconstructionInputs,
    files: ModelFiles,
    lines: LineMap | None,
    record: Record,
    timer: StageTimer,
) -> None:
    """Write the page and the record, to which the seconds are added."""
    with timer.stage("report"):
        title = f"Reconstruction of {inputs.image_dir.resolve().name}"
        write_report(inputs.output / REPORT, files.models, lines, record, title=title)
    record["seconds"] = {stage: round(value, 2) for stage, value in timer.seconds.items()}
    write_json(inputs.output / RECORD, record)


def _record(
    image_dir: Path,
    given: Given,
    files: ModelFiles,
    pairs: Sequence[Record],
    exported: HlocFolder,
) -> Record:
    paired = {name for pair in pairs for name in pair["names"]}
    left_out = given.left_out(image_dir, exported.skipped.images, paired)
    names = [*given.names, *(name for name in left_out if name not in set(given.names))]
    return {
        "made_from": files.made_from,
        "models": [model_record(model) for model in files.models],
        "refinement": files.refinement,
        "photographs": photograph_records(names, files.models, pairs, left_out),
        "pairs": list(pairs),
        "left_out_pairs": [
            {"names": list(pair), "reason": reason}
            for pair, reason in exported.skipped.pairs.items()
        ],
    }


def _no_model(output: Path, num_photographs: int, pairs: Sequence[Record]) -> str:
    verified = sum(record["num_inliers"] > 0 for record in pairs)
    most = max((record["num_inliers"] for record in pairs), default=0)
    return (
        f"no two of the {num_photographs} photographs could be placed: {verified} of "
        f"{len(pairs)} pairs were verified, the best with {most} matches; {output / RECORD} says "
        "more. Photographs need to overlap, and to be taken from different places"
    )
