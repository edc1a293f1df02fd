"""``gluestick detect``: the keypoints and line segments of one image."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gluestick.cli import options
from gluestick.cli.errors import one_line_errors

FILES = ("features.png", "features.npz")
"""The names of all files that an image may become, in the order in which they appear."""


@one_line_errors
def detect(
    image: Annotated[Path, typer.Argument(help="The image.")],
    overrides: options.FeatureOverrides = None,
    output: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("output/detect"),
    detector: Annotated[
        str | None,
        typer.Option(help="aliked, disk, xfeat, sift or superpoint.", show_default="aliked"),
    ] = None,
    detector_weights: options.DetectorWeights = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="Weights that gluestick train wrote, to detect as they were trained.",
            show_default="none",
        ),
    ] = None,
    line_detector: options.LineDetector = None,
    max_num_keypoints: options.MaxNumKeypoints = None,
    max_num_lines: options.MaxNumLines = None,
    min_length: options.MinLength = None,
    detection_threshold: options.DetectionThreshold = None,
    nms_radius: options.NmsRadius = None,
    resize: options.Resize = None,
    tiles: options.Tiles = None,
    memory: options.Memory = None,
    mask: Annotated[
        Path | None, typer.Option(help="Detect only where it is not 0.", show_default="none")
    ] = None,
    pictures: Annotated[bool, typer.Option(help="Write features.png.")] = True,
    device: options.Device = "auto",
    threads: options.Threads = None,
) -> None:
    """Detect the keypoints and line segments of one image.

    Writes features.npz and features.png to the output folder.

    Example: gluestick detect a.jpg --detector sift --output output/detect
    """
    from gluestick.cli.devices import select_device
    from gluestick.cli.memory import fit_memory
    from gluestick.cli.outputs import check_output
    from gluestick.cli.pair.inputs import check_mask
    from gluestick.cli.resources import use_threads
    from gluestick.config import load_config
    from gluestick.export.features_npz import write_features_npz
    from gluestick.features.extractor import FeatureExtractor, FeatureExtractorConfig
    from gluestick.images.load import load_image, load_mask
    from gluestick.pipeline_config import TrainedModel
    from gluestick.storage.result_folder import files_together
    from gluestick.timing import StageTimer
    from gluestick.visualization import draw_features, save_picture

    named = options.feature_overrides(
        detector=detector,
        line_detector=line_detector,
        max_num_keypoints=max_num_keypoints,
        max_num_lines=max_num_lines,
        min_length=min_length,
        detection_threshold=detection_threshold,
        nms_radius=nms_radius,
        resize=resize,
        tiles=tiles,
    )
    defaults = FeatureExtractorConfig()
    if weights is not None:
        trained = TrainedModel.of_file(weights)
        if trained is None:
            raise ValueError(f"--weights needs a file that gluestick train wrote, found {weights}")
        defaults = trained.config.features
    config = load_config(None, [*named, *(overrides or ())], defaults=defaults)
    if detector_weights is not None:
        config = replace(config, points=replace(config.points, weights=detector_weights))
    check_output(output, FILES)
    chosen = select_device(device)
    use_threads(threads)
    config = fit_memory(config, [image], memory=memory, device=chosen)
    timer = StageTimer()
    with Console(stderr=True).status("Detecting"):
        with timer.stage("loading"):
            pixels = load_image(image)
            masks = [load_mask(mask)] if mask else None
            if masks and mask:
                check_mask(masks[0], "--mask", mask, image, pixels)
            extractor = FeatureExtractor(config).eval().to(chosen)
        features = extractor([pixels], masks=masks, timer=timer)
        with timer.stage("writing"), files_together(output, FILES) as folder:
            write_features_npz(folder / "features.npz", features)
            if pictures:
                picture = draw_features(pixels, features.keypoints[0], features.lines[0])
                save_picture(folder / "features.png", picture)
    seconds = ", ".join(f"{stage} {value:.2f}" for stage, value in timer.seconds.items())
    typer.echo(f"{features.keypoints.shape[1]} keypoints, {features.lines.shape[1]} lines")
    typer.echo(f"Seconds: {seconds}")
    names = reversed(FILES) if pictures else FILES[-1:]
    typer.echo("Written: " + ", ".join(str(output / name) for name in names))
