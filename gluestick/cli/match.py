"""``gluestick match``: two images in, matches, pictures and a table out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from gluestick.cli import options
from gluestick.cli.errors import one_line_errors

if TYPE_CHECKING:
    from gluestick.config import MatchConfig

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
    mask0: Annotated[
        Path | None, typer.Option(help="Match only where it is not 0.", show_default="none")
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
        float | None, typer.Option(help="Inlier threshold, px.", show_default="3")
    ] = None,
    rotation: options.Rotation = None,
    pictures: Annotated[bool, typer.Option(help="Write points.png and lines.png.")] = True,
    viewer: Annotated[bool, typer.Option(help="Also write an interactive page.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print run.json instead of the table.")
    ] = False,
    config: options.Config = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
) -> None:
    """Match two images by keypoints and line segments.

    Writes matches.npz, run.json, points.png and lines.png to the output folder, and viewer.html
    if asked.

    Example: gluestick match a.jpg b.jpg --output output/match --viewer
    """
    from gluestick.cli.devices import select_device
    from gluestick.cli.outputs import check_output
    from gluestick.cli.pair.cameras import find_cameras
    from gluestick.cli.pair.files import FILES, write_pair
    from gluestick.cli.pair.inputs import load_inputs
    from gluestick.cli.pair.summary import (
        as_json,
        count_kinds,
        print_summary,
        run_record,
        write_json,
    )
    from gluestick.cli.resources import use_threads
    from gluestick.match_images import pair_matches
    from gluestick.timing import StageTimer
    from gluestick.two_view import estimate_geometry

    features = options.feature_overrides(
        line_detector=line_detector,
        max_num_keypoints=max_num_keypoints,
        max_num_lines=max_num_lines,
        min_length=min_length,
        detection_threshold=detection_threshold,
        nms_radius=nms_radius,
        resize=resize,
    )
    settings = options.match_config(
        config,
        overrides,
        features=features,
        model=model,
        weights=weights,
        detector_weights=detector_weights,
        rotation=rotation,
        geometry=geometry,
        max_error=max_error,
    )
    check_output(output, FILES)
    chosen, num_threads = select_device(device), use_threads(threads)
    cameras = find_cameras((K0, K1), (image0, image1)) or (None, None)
    _warn_of_memory((image0, image1), settings)
    timer = StageTimer()
    with Console(stderr=True).status("Matching"):
        with timer.stage("loading"):
            inputs = load_inputs((image0, image1), (mask0, mask1), (lines0, lines1))
            matcher = options.load_matcher(settings).to(chosen)
        result = matcher(
            *inputs.images,
            mask0=inputs.masks[0],
            mask1=inputs.masks[1],
            lines0=inputs.lines[0],
            lines1=inputs.lines[1],
            timer=timer,
        )
        with timer.stage("estimation"):
            estimate = estimate_geometry(
                pair_matches(*result),
                geometry=settings.geometry,
                camera0=cameras[0],
                camera1=cameras[1],
                max_error=settings.max_error,
            )
        with timer.stage("writing"):
            names = image0.name, image1.name
            written = write_pair(
                output, names, inputs.images, result, estimate, pictures=pictures, viewer=viewer
            )
    written.append(output / "run.json")
    counts = count_kinds(*result, estimate)
    record = run_record(
        (image0, image1),
        result[:2],
        counts,
        estimate,
        settings=settings,
        run={
            "cameras": [None if camera is None else camera.K.tolist() for camera in cameras],
            "files": [str(path) for path in written],
            "device": str(chosen),
            "threads": num_threads,
            "seconds": dict(timer.seconds),
        },
    )
    write_json(written[-1], record)
    if json:
        typer.echo(as_json(record))
        return
    print_summary(counts, estimate, asked=settings.geometry, seconds=timer.seconds)
    typer.echo("Written: " + ", ".join(str(path) for path in written))


def _warn_of_memory(images: tuple[Path, Path], settings: MatchConfig) -> None:
    from gluestick.cli.resources import warn_of_memory
    from gluestick.images.header import read_header
    from gluestick.images.resize import resized_size

    headers = [read_header(path) for path in images]
    sizes = [header.image_size for header in headers if header is not None]
    resize = settings.pipeline.features.resize
    warn_of_memory(sizes, [resized_size(size, config=resize) for size in sizes])
