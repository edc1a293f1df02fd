"""``gluestick match``: two images in, matches, pictures and a table out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gluestick.cli import options
from gluestick.cli.errors import one_line_errors

_CALIBRATION = "K as a file of 3 x 3 numbers, or fx,fy,cx,cy and OpenCV's distortion, px"


@one_line_errors
def match(
    image0: Annotated[Path, typer.Argument(help="The first image.")],
    image1: Annotated[Path, typer.Argument(help="The second image.")],
    overrides: options.Overrides = None,
    output: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("output/match"),
    model: options.Model = None,
    weights: options.Weights = None,
    detector_weights: options.DetectorWeights = None,
    line_detector: options.LineDetector = None,
    max_num_keypoints: options.MaxNumKeypoints = None,
    max_num_lines: options.MaxNumLines = None,
    min_length: options.MinLength = None,
    detection_threshold: options.DetectionThreshold = None,
    nms_radius: options.NmsRadius = None,
    resize: options.Resize = None,
    tiles: options.Tiles = None,
    memory: options.Memory = None,
    mask0: Annotated[
        Path | None, typer.Option(help="Detect only where it is not 0.", show_default="none")
    ] = None,
    mask1: Annotated[
        Path | None, typer.Option(help="The same for the second image.", show_default="none")
    ] = None,
    lines0: Annotated[
        Path | None,
        typer.Option(help="Your own lines, .npy [L,2,2] px.", show_default="detected ones"),
    ] = None,
    lines1: Annotated[
        Path | None,
        typer.Option(help="The same for the second image.", show_default="detected ones"),
    ] = None,
    geometry: Annotated[
        str | None,
        typer.Option(help="auto, homography, fundamental or none.", show_default="auto"),
    ] = None,
    K0: Annotated[
        str | None, typer.Option("--K0", help=f"{_CALIBRATION}.", show_default="as EXIF says")
    ] = None,
    K1: Annotated[
        str | None,
        typer.Option("--K1", help="The same for the second image.", show_default="as EXIF says"),
    ] = None,
    max_error: Annotated[
        float | None,
        typer.Option(
            help="Inlier threshold, px of the images.",
            show_default="3, px as detectors see them",
        ),
    ] = None,
    view: options.View = None,
    rotation: options.Rotation = None,
    pictures: Annotated[bool, typer.Option(help="Write points.png and lines.png.")] = True,
    overlay: Annotated[
        bool,
        typer.Option(help="Also write overlay.png: both images in one, or epipolar lines."),
    ] = False,
    viewer: Annotated[bool, typer.Option(help="Also write an interactive page.")] = False,
    line_pairs: Annotated[
        float | None,
        typer.Option(
            help="From which probability to keep line matches many to many, of models that find "
            "them.",
            show_default="0.5",
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print run.json instead of the table.")
    ] = False,
    config: options.Config = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
) -> None:
    """Match two images by keypoints and line segments.

    Writes matches.npz, run.json, points.png and lines.png to the output folder, and overlay.png
    and viewer.html if asked.

    Example: gluestick match a.jpg b.jpg --output output/match --viewer
    """
    from gluestick.cli.pair.run import PairJob, run_pair
    from gluestick.cli.pair.table import print_summary
    from gluestick.pair_run.run import PairFiles
    from gluestick.pair_run.summary import as_json

    features = options.feature_overrides(
        line_detector=line_detector,
        max_num_keypoints=max_num_keypoints,
        max_num_lines=max_num_lines,
        min_length=min_length,
        detection_threshold=detection_threshold,
        nms_radius=nms_radius,
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
        geometry=geometry,
        max_error=max_error,
    )
    job = PairJob(
        files=PairFiles(
            images=(image0, image1),
            output=output,
            pictures=pictures,
            overlay=overlay,
            viewer=viewer,
            line_pairs=line_pairs,
        ),
        masks=(mask0, mask1),
        lines=(lines0, lines1),
        calibrations=(K0, K1),
        settings=settings,
        device=device,
        memory=memory,
        threads=threads,
    )
    with Console(stderr=True).status("Matching"):
        done = run_pair(job)
    if json:
        typer.echo(as_json(done.record))
        return
    print_summary(done.counts, done.estimate, asked=settings.geometry, seconds=done.seconds)
    typer.echo("Written: " + ", ".join(str(path) for path in done.written))
