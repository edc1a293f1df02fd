"""``gluestick export``: files of other programs, and a model that runs without this package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gluestick.cli import options
from gluestick.cli.errors import one_line_errors
from gluestick.cli.progress import progress

if TYPE_CHECKING:
    from gluestick.export.hloc_folder import HlocFolder


app = typer.Typer(
    name="export",
    help="Write the files of other programs, or a model as ONNX.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("onnx")
@one_line_errors
def export_onnx(
    overrides: options.Overrides = None,
    output: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("output/onnx"),
    model: options.Model = None,
    weights: options.Weights = None,
    config: options.Config = None,
    precision: Annotated[
        str, typer.Option(help="Of the matcher: float32, float16 or int8.")
    ] = "float32",
) -> None:
    """Write detector, matcher and line head of a model as ONNX graphs, with a manifest.

    They run with ONNX Runtime on images of any size and in batches, without torch and without
    this package; demos/onnx_match.py shows how. They run all layers, so what a preset says of
    early exit and pruning is left out. Needs the extra onnx.

    Example: gluestick export onnx --config fast --output output/onnx
    """
    from gluestick.cli.outputs import check_output
    from gluestick.export.onnx.precision import check_precision
    from gluestick.export.onnx.write import MANIFEST, export_onnx
    from gluestick.pipeline import PointLineMatcher

    check_output(output, [MANIFEST])
    settings = options.match_config(
        config, overrides, model=model, weights=weights, detector_weights=None
    )
    chosen = check_precision(precision, model=settings.model)
    matcher = PointLineMatcher.from_pretrained(
        settings.model,
        weights=settings.weights,
        detector_weights=settings.detector_weights,
        config=settings.pipeline,
    )
    written = export_onnx(matcher, output, model=settings.model, precision=chosen)
    typer.echo(f"Written: {written}")


@app.command("hloc")
@one_line_errors
def export_hloc(
    image_dir: Annotated[Path, typer.Argument(help="The folder of images.")],
    overrides: options.Overrides = None,
    output: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("output/export"),
    pairs: Annotated[
        Path | None,
        typer.Option(help="A file with lines of two image names.", show_default="all pairs"),
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            help="A folder of masks NAME.png, black where to find nothing.", show_default="none"
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail where an image is missing or damaged.")
    ] = False,
    model: options.Model = None,
    weights: options.Weights = None,
    detector_weights: options.DetectorWeights = None,
    max_num_keypoints: options.MaxNumKeypoints = None,
    max_num_lines: options.MaxNumLines = None,
    resize: options.Resize = None,
    tiles: options.Tiles = None,
    memory: Annotated[
        str | None,
        typer.Option(
            help="Bytes to stay below, such as 4GB, by detecting keypoints in tiles where an image "
            "would need more.",
            show_default="no limit",
        ),
    ] = None,
    view: options.FolderView = None,
    view_searches: options.ViewSearches = 5,
    rotation: options.Rotation = None,
    config: options.Config = None,
    workers: options.WorkerKind = "local",
    ray_address: options.RayAddress = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
) -> None:
    """Write the features of all images in a folder and the matches of their pairs.

    Pairs that the files already hold are left as they are, so a stopped run goes on. Coordinates
    are those of COLMAP's images, less half a pixel: EXIF orientation is not applied to them.

    Example: gluestick export hloc photos --pairs pairs.txt --output output/export
    """
    from gluestick.cli.devices import select_device
    from gluestick.cli.resources import use_threads
    from gluestick.datasets.pair_lists import pairs_of_folder
    from gluestick.export.hloc_folder import export_hloc_folder
    from gluestick.export.views.folder import ViewBudget
    from gluestick.pipeline import PointLineMatcher

    features = options.feature_overrides(
        max_num_keypoints=max_num_keypoints,
        max_num_lines=max_num_lines,
        resize=resize,
        tiles=tiles,
    )
    settings = options.match_config(
        config,
        overrides,
        features=features,
        model=model,
        weights=weights,
        detector_weights=detector_weights,
        view=view,
        rotation=rotation,
    )
    if memory == "auto":
        raise ValueError(
            "export needs --memory in bytes, such as 4GB, so that a run that goes on detects alike"
        )
    use_threads(threads)
    chosen = select_device(device)
    names = pairs_of_folder(image_dir, pairs)
    images = [image_dir / name for name in {name for pair in names for name in pair}]
    settings = options.within_memory(
        settings, images, memory=memory or "none", device=chosen, one_by_one=True
    )
    matcher = options.load_matcher(settings).to(chosen)
    if not isinstance(matcher, PointLineMatcher):
        raise ValueError(
            f"{settings.model} takes both images of a pair at once and has no features of single "
            "images to write: choose another model"
        )
    written = export_hloc_folder(
        matcher,
        image_dir,
        names,
        output,
        model=settings.model,
        mask_dir=masks,
        views=ViewBudget(max_searches=view_searches),
        strict=strict,
        workers=options.make_workers(workers, address=ray_address),
        progress=progress,
    )
    _report(written)


def _report(written: HlocFolder) -> None:
    skipped = written.skipped
    for reason in (*skipped.images.values(), *skipped.pairs.values()):
        typer.echo(f"gluestick: skipped: {' '.join(reason.split())}", err=True)
    counts = f"{written.num_pairs} pairs, {written.num_new_pairs} of them new"
    if written.num_view_pairs:
        counts += f", {written.num_view_pairs} in further views"
        counts += f", {written.num_new_view_pairs} of them new"
    if skipped.images or skipped.pairs:
        counts += f"; skipped: {len(skipped.images)} images, {written.num_skipped_pairs} pairs"
    typer.echo(f"Written: {written.features}, {written.matches} ({counts})")
