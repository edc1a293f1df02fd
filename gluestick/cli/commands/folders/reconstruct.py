"""``gluestick reconstruct``: a folder of photographs in, a COLMAP reconstruction out."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from gluestick.cli import options
from gluestick.cli.errors import one_line_errors
from gluestick.cli.progress import progress

if TYPE_CHECKING:
    from gluestick.config import MatchConfig
    from gluestick.reconstruction import Reconstruction, ReconstructionConfig

_METHODS = ("auto", "exhaustive", "sequential", "gps", "retrieval")


@one_line_errors
def reconstruct(
    photo_dir: Annotated[Path, typer.Argument(help="The folder of photographs.")],
    overrides: options.Overrides = None,
    output: Annotated[Path, typer.Option(help="The folder to write to.")] = Path(
        "output/reconstruction"
    ),
    pairs: Annotated[
        str,
        typer.Option(
            help="Which photographs are matched: auto (all up to 60, then retrieval), exhaustive, "
            "sequential, gps, retrieval, or a file with lines of two names."
        ),
    ] = "auto",
    overlap: Annotated[int, typer.Option(help="Followers each is matched with (sequential).")] = 10,
    num_similar: Annotated[
        int, typer.Option(help="Similar photographs each is matched with (retrieval, loops).")
    ] = 20,
    max_distance: Annotated[float, typer.Option(help="Metres between photographs (gps).")] = 100.0,
    mapper: Annotated[str, typer.Option(help="incremental or global.")] = "incremental",
    cameras: Annotated[
        Path | None,
        typer.Option(
            help="Known cameras, kept as they are: cameras.json, cameras.txt or a COLMAP model.",
            show_default="from EXIF",
        ),
    ] = None,
    camera_model: Annotated[
        str, typer.Option(help="COLMAP's model of the other cameras.")
    ] = "SIMPLE_RADIAL",
    camera_sharing: Annotated[
        str,
        typer.Option(help="Photographs of one camera: auto (EXIF), single, folder or image."),
    ] = "auto",
    model: Annotated[
        Path | None,
        typer.Option(
            help="A folder with a COLMAP model whose poses are kept; only points are found.",
            show_default="none",
        ),
    ] = None,
    database: Annotated[
        Path | None,
        typer.Option(help="A COLMAP database to extend.", show_default="OUTPUT/database.db"),
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            help="A folder of masks NAME.png, black where to find nothing.", show_default="none"
        ),
    ] = None,
    verification: Annotated[
        str, typer.Option(help="Who verifies matches: colmap or gluestick (its own verdicts).")
    ] = "colmap",
    junctions: Annotated[
        bool, typer.Option("--junctions", help="Also match line junctions as points.")
    ] = False,
    refine: Annotated[bool, typer.Option(help="Refine keypoints along their tracks.")] = True,
    lines: Annotated[bool, typer.Option(help="Make a map of lines in space.")] = True,
    line_views: Annotated[
        int, typer.Option(help="By how many photographs a line in space needs to be seen.")
    ] = 3,
    undistort: Annotated[
        bool, typer.Option("--undistort", help="Also write undistorted photographs.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail where a photograph is missing or damaged.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of what is drawn at random.")] = 0,
    matcher: Annotated[
        str | None,
        typer.Option(help="A model or a peer; see `gluestick models`.", show_default="aliked-lsd"),
    ] = None,
    weights: options.Weights = None,
    detector_weights: options.DetectorWeights = None,
    max_num_keypoints: options.MaxNumKeypoints = None,
    max_num_lines: options.MaxNumLines = None,
    resize: options.Resize = None,
    view: options.FolderView = None,
    view_searches: options.ViewSearches = 5,
    rotation: options.Rotation = None,
    config: options.Config = None,
    workers: options.WorkerKind = "local",
    ray_address: options.RayAddress = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
) -> None:
    """Reconstruct the cameras and points of a folder of photographs with COLMAP.

    Writes features and matches, a COLMAP database, models in sparse/, points.ply, lines in space
    (lines.ply, lines.obj, lines.json), reconstruction.json, and report.html to look at. A stopped
    run goes on where it was.

    Example: gluestick reconstruct photos --output output/reconstruction
    """
    from gluestick.cli.devices import select_device
    from gluestick.cli.outputs import check_output
    from gluestick.cli.resources import use_threads
    from gluestick.pipeline import PointLineMatcher
    from gluestick.reconstruction import ReconstructionInputs
    from gluestick.reconstruction import reconstruct as reconstruct_folder
    from gluestick.reconstruction.folder import RECORD

    chosen = _config(
        pairs=pairs,
        overlap=overlap,
        view_searches=view_searches,
        num_similar=num_similar,
        max_distance=max_distance,
        camera_model=camera_model,
        camera_sharing=camera_sharing,
        verification=verification,
        junctions=junctions,
        mapper=mapper,
        refine=refine,
        line_views=line_views if lines else None,
        seed=seed,
        threads=use_threads(threads),
    )
    settings = options.match_config(
        config,
        overrides,
        features=options.feature_overrides(
            max_num_keypoints=max_num_keypoints, max_num_lines=max_num_lines, resize=resize
        ),
        model=matcher,
        weights=weights,
        detector_weights=detector_weights,
        view=view,
        rotation=rotation,
    )
    check_output(output, (RECORD, "run.json"))
    loaded = options.load_matcher(settings).to(select_device(device))
    if not isinstance(loaded, PointLineMatcher):
        raise ValueError(
            f"{settings.model} takes both images of a pair at once, so that its points belong to "
            "no track: choose another matcher"
        )
    made = reconstruct_folder(
        loaded,
        ReconstructionInputs(
            image_dir=photo_dir,
            output=output,
            pairs_file=None if pairs in _METHODS else Path(pairs),
            mask_dir=masks,
            cameras=cameras,
            model=model,
            database=database,
        ),
        model=settings.model,
        config=chosen,
        strict=strict,
        workers=options.make_workers(workers, address=ray_address),
        progress=progress,
    )
    written = [made.database, made.model, made.points, output / RECORD, made.report]
    if made.lines is not None:
        written.insert(3, made.lines)
    if undistort:
        written.append(_undistorted(made, photo_dir, output, threads=chosen.mapping.threads))
    _write_run(output / "run.json", photo_dir, settings, chosen, device=str(loaded.device))
    _report(made, written)


def _config(
    *, pairs: str, threads: int, line_views: int | None, **chosen: Any
) -> ReconstructionConfig:
    """Return the configuration that the options stand for."""
    from gluestick.export.views.folder import ViewBudget
    from gluestick.reconstruction import ReconstructionConfig
    from gluestick.reconstruction.colmap.images import CameraOptions
    from gluestick.reconstruction.lines import LineMapConfig
    from gluestick.reconstruction.mapping import MappingConfig
    from gluestick.reconstruction.pairs.selection import PairsConfig
    from gluestick.reconstruction.refinement.model import RefinementConfig

    return ReconstructionConfig(
        pairs=PairsConfig(
            method=pairs if pairs in _METHODS else "auto",  # type: ignore[arg-type]
            overlap=chosen["overlap"],
            num_similar=chosen["num_similar"],
            max_distance=chosen["max_distance"],
        ),
        views=ViewBudget(max_searches=chosen["view_searches"]),
        cameras=CameraOptions(model=chosen["camera_model"], sharing=chosen["camera_sharing"]),
        junctions=chosen["junctions"],
        verification=chosen["verification"],
        mapping=MappingConfig(mapper=chosen["mapper"], seed=chosen["seed"], threads=threads),
        refinement=RefinementConfig() if chosen["refine"] else None,
        lines=None if line_views is None else LineMapConfig(min_views=line_views),
    )


def _undistorted(made: Reconstruction, photo_dir: Path, output: Path, *, threads: int) -> Path:
    from gluestick.reconstruction.undistortion import undistort

    with Console(stderr=True).status("Undistorting"):
        return undistort(made.model, photo_dir, output / "undistorted", threads=threads)


def _write_run(
    path: Path,
    photo_dir: Path,
    settings: MatchConfig,
    config: ReconstructionConfig,
    *,
    device: str,
) -> None:
    from gluestick.pair_run.summary import versions, write_json

    record = {
        "photographs": str(photo_dir),
        "matching": asdict(settings),
        "reconstruction": asdict(config),
        "device": device,
        "versions": versions(),
    }
    write_json(path, record)


def _report(made: Reconstruction, written: list[Path]) -> None:
    record = made.record
    model = record["models"][0]
    for pair in record["left_out_pairs"]:
        typer.echo(f"gluestick: left out: {' '.join(pair['reason'].split())}", err=True)
    for photograph in record["photographs"]:
        if not photograph["registered"]:
            typer.echo(
                f"gluestick: left out: {photograph['name']}: {photograph['reason']}", err=True
            )
    typer.echo(
        f"{model['num_registered']} of {len(record['photographs'])} photographs registered, "
        f"{model['num_points']} points seen by {model['mean_track_length']:.1f} photographs each, "
        f"{model['mean_reprojection_error']:.2f} px mean reprojection error"
    )
    lines = record["line_map"]
    if lines is not None:
        typer.echo(
            f"{lines['num_lines']} lines in space, seen by {lines['mean_track_length']:.1f} "
            "photographs each"
            + (
                f", {lines['mean_reprojection_error']:.2f} px mean reprojection error"
                if lines["num_lines"]
                else ""
            )
        )
    typer.echo(f"Written: {', '.join(map(str, written))}")
