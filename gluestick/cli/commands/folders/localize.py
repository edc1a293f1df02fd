"""``gluestick localize``: where photographs were taken, in a model of others."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gluestick.cli import options
from gluestick.cli.errors import one_line_errors
from gluestick.cli.progress import progress

if TYPE_CHECKING:
    from gluestick.config import MatchConfig
    from gluestick.reconstruction.localization import Localization

_RUN = "run.json"


@one_line_errors
def localize(
    model: Annotated[
        Path,
        typer.Argument(help="The output of gluestick reconstruct, or a COLMAP model."),
    ],
    queries: Annotated[
        Path,
        typer.Argument(
            help="A folder of photographs, or a list of names, with cameras where known: name "
            "MODEL width height parameters..."
        ),
    ],
    overrides: options.Overrides = None,
    output: Annotated[Path, typer.Option(help="The folder to write to.")] = Path(
        "output/localization"
    ),
    images: Annotated[
        Path | None,
        typer.Option(
            help="The photographs of the model.", show_default="where the reconstruction was from"
        ),
    ] = None,
    query_images: Annotated[
        Path | None,
        typer.Option(help="The folder of the photographs in a list.", show_default="the list's"),
    ] = None,
    cameras: Annotated[
        Path | None,
        typer.Option(
            help="Known cameras of queries: cameras.json, cameras.txt or a COLMAP model.",
            show_default="focal lengths from EXIF, or estimated",
        ),
    ] = None,
    num_similar: Annotated[
        int, typer.Option(help="Similar photographs of the model each query is matched with.")
    ] = 10,
    max_error: Annotated[
        float, typer.Option(help="Largest reprojection error of an inlier, px as detected.")
    ] = 3.0,
    lines: Annotated[bool, typer.Option(help="Use lines too, where the model has any.")] = True,
    refine: Annotated[
        bool, typer.Option(help="Align keypoints with those of the model's photographs.")
    ] = True,
    untrusted: Annotated[
        bool, typer.Option("--untrusted", help="Also write poses that could be chance.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of what is drawn at random.")] = 0,
    matcher: Annotated[
        str | None,
        typer.Option(help="A model or a peer.", show_default="that of the reconstruction"),
    ] = None,
    weights: options.Weights = None,
    detector_weights: options.DetectorWeights = None,
    max_num_keypoints: options.KeypointBudget = None,
    max_num_lines: options.LineBudget = None,
    resize: options.Resize = None,
    view: options.FolderView = None,
    view_searches: options.ViewSearches = 3,
    rotation: options.Rotation = None,
    config: options.Config = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
) -> None:
    """Find where photographs were taken, in a model of other photographs.

    Writes poses.txt (name qw qx qy qz tx ty tz, of poses that are trusted), poses.json and
    report.html. Settings are those of the reconstruction unless named. A stopped run goes on
    where it was.

    Example: gluestick localize output/reconstruction queries --output output/localization
    """
    from gluestick.cli.devices import select_device
    from gluestick.cli.outputs import check_output
    from gluestick.cli.resources import use_threads
    from gluestick.export.views.folder import ViewBudget
    from gluestick.pipeline import PointLineMatcher
    from gluestick.reconstruction.localization import (
        LocalizationInputs,
        MatchingConfig,
        PoseConfig,
    )
    from gluestick.reconstruction.localization import localize as localize_queries
    from gluestick.reconstruction.localization.folder import POSES, RECORDS, REPORT
    from gluestick.reconstruction.localization.references import ENOUGH_REFERENCES

    number = use_threads(threads)
    settings = _settings(
        model,
        overrides,
        config=config,
        matcher=matcher,
        weights=weights,
        detector_weights=detector_weights,
        view=view,
        rotation=rotation,
        features=options.feature_overrides(
            max_num_keypoints=max_num_keypoints, max_num_lines=max_num_lines, resize=resize
        ),
    )
    views = ViewBudget(max_searches=view_searches, enough_pairs=ENOUGH_REFERENCES)
    matching = MatchingConfig(num_similar=num_similar, views=views)
    pose = PoseConfig(max_error=max_error, lines=lines, refine=refine, seed=seed)
    check_output(output, (POSES, RECORDS, REPORT, _RUN))
    loaded = options.load_matcher(settings).to(select_device(device))
    if not isinstance(loaded, PointLineMatcher):
        raise ValueError(
            f"{settings.model} takes both images of a pair at once, so that its points are none "
            "of the model's: choose another matcher"
        )
    made = localize_queries(
        loaded,
        LocalizationInputs(
            model=model,
            queries=queries,
            output=output,
            image_dir=images,
            query_dir=query_images,
            cameras=cameras,
        ),
        model=settings.model,
        matching=matching,
        pose=pose,
        untrusted=untrusted,
        threads=number,
        progress=progress,
    )
    record = {"model": str(model), "queries": str(queries), "device": str(loaded.device)}
    _write_run(output / _RUN, record, settings, matching, pose)
    _report(made, output)


def _settings(
    model: Path,
    overrides: list[str] | None,
    *,
    config: Path | None,
    matcher: str | None,
    weights: str | None,
    detector_weights: str | None,
    view: str | None,
    rotation: str | None,
    features: list[str],
) -> MatchConfig:
    """Return the settings of the reconstruction, or those that are named."""
    from gluestick.config import restore_match_config

    stored = model / _RUN
    if config is None and matcher is None and weights is None and stored.is_file():
        changed = [f"pipeline.features.{override}" for override in features]
        options.check_one_view(view, rotation)
        # the reconstruction may have named its views by --rotation, which comes first
        rotation = rotation if view is None else "null"
        named = {"pipeline.view": view, "pipeline.rotation": rotation}
        named["detector_weights"] = detector_weights
        changed += [f"{key}={value}" for key, value in named.items() if value is not None]
        try:
            matching = json.loads(stored.read_text(encoding="utf-8"))["matching"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{stored} is damaged: remove it, or name the --matcher") from error
        return restore_match_config(matching, [*changed, *(overrides or ())], source=stored)
    return options.match_config(
        config,
        overrides,
        features=features,
        model=matcher,
        weights=weights,
        detector_weights=detector_weights,
        view=view,
        rotation=rotation,
    )


def _write_run(
    path: Path, record: dict[str, Any], settings: MatchConfig, matching: Any, pose: Any
) -> None:
    from gluestick.pair_run.summary import versions, write_json

    chosen = {"references": asdict(matching), "pose": asdict(pose)}
    write_json(
        path,
        {**record, "matching": asdict(settings), "localization": chosen, "versions": versions()},
    )


def _report(made: Localization, output: Path) -> None:
    for record in made.records:
        if not record["localized"]:
            typer.echo(f"gluestick: not localized: {record['name']}: {record['reason']}", err=True)
    localized = sum(record["localized"] for record in made.records)
    typer.echo(f"{localized} of {len(made.records)} queries localized")
    typer.echo(f"Written: {made.poses}, {output / 'poses.json'}, {made.report}")
