"""``gluestick track``: points and lines followed through a video."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gluestick.cli import options
from gluestick.cli.errors import one_line_errors

_PRESET = "video"


@one_line_errors
def track(
    frames: Annotated[
        Path, typer.Argument(help="A video, or a folder of frames named in their order.")
    ],
    overrides: options.Overrides = None,
    output: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("output/track"),
    video: Annotated[bool, typer.Option(help="Write tracks.mp4.")] = True,
    stride: Annotated[int, typer.Option(help="Take every so many frames.")] = 1,
    max_frames: Annotated[
        int | None, typer.Option(help="Take so many frames at most.", show_default="all")
    ] = None,
    keyframe_every: Annotated[
        int,
        typer.Option(
            help="Match every so many frames also with the last such one, to find again what was "
            "lost in between; 0 for never."
        ),
    ] = 5,
    min_score: Annotated[
        float, typer.Option(help="Matches of a lower probability connect nothing.")
    ] = 0.5,
    model: Annotated[
        str | None, typer.Option(help="A model or a peer.", show_default="xfeat-lsd")
    ] = None,
    weights: options.Weights = None,
    detector_weights: options.DetectorWeights = None,
    line_detector: options.LineDetector = None,
    max_num_keypoints: Annotated[
        int | None, typer.Option(help="Keep the strongest keypoints.", show_default="512")
    ] = None,
    max_num_lines: Annotated[
        int | None, typer.Option(help="Keep the best line segments.", show_default="100")
    ] = None,
    min_length: options.MinLength = None,
    resize: Annotated[
        int | None,
        typer.Option(
            help="Detect at this long side, px; 0 for the original size.", show_default="512"
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="A preset or a YAML file.", show_default=_PRESET)
    ] = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
) -> None:
    """Follow points and lines through a video.

    Writes tracks.csv and tracks.npz, where each point and line keeps its identity, tracks.mp4 and
    run.json.

    Example: gluestick track drive.mp4 --output output/drive
    """
    from gluestick.cli.devices import select_device
    from gluestick.cli.outputs import check_output
    from gluestick.cli.resources import use_threads
    from gluestick.pipeline import PointLineMatcher
    from gluestick.tracking.frames import open_frames
    from gluestick.tracking.run import FILES, track_into_files
    from gluestick.tracking.tracker import TrackerConfig

    connections = TrackerConfig(keyframe_every=keyframe_every, min_score=min_score)
    if config is None and model is None and weights is None:
        config = Path(_PRESET)
    settings = options.match_config(
        config,
        overrides,
        features=options.feature_overrides(
            line_detector=line_detector,
            max_num_keypoints=max_num_keypoints,
            max_num_lines=max_num_lines,
            min_length=min_length,
            resize=resize,
        ),
        model=model,
        weights=weights,
        detector_weights=detector_weights,
        view="none",
    )
    if settings.pipeline.view != "none":
        raise ValueError("frames are seen as they are: leave out pipeline.view and rotation")
    check_output(output, FILES)
    source = open_frames(frames, stride=stride, max_frames=max_frames)
    chosen = select_device(device)
    use_threads(threads)
    matcher = options.load_matcher(settings).to(chosen)
    if not isinstance(matcher, PointLineMatcher):
        raise ValueError(f"{settings.model} finds no features one image at a time: name a model")
    with Console(stderr=True).status("Tracking"):
        done = track_into_files(
            matcher,
            source,
            output,
            settings=settings,
            config=connections,
            video=video,
            given={"source": str(frames), "stride": stride, "device": str(chosen)},
        )
    for note in done.notes:
        typer.echo(f"Note: {note}")
    typer.echo(
        f"{done.num_frames} frames, {done.tracks.count('point')} points and "
        f"{done.tracks.count('line')} lines followed, "
        f"{done.num_frames / done.seconds['total']:.1f} frames a second"
    )
    typer.echo("Written: " + ", ".join(str(path) for path in done.written))
