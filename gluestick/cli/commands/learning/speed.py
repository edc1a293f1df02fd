"""``gluestick benchmark speed``: time every stage, from files to pictures."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from gluestick.cli import options
from gluestick.cli.errors import one_line_errors

if TYPE_CHECKING:
    from gluestick.benchmarks.run.stage_speed import Case
    from gluestick.matching.protocols import Matcher


@one_line_errors
def speed(
    image0: Annotated[Path, typer.Argument(help="A photograph.")],
    image1: Annotated[Path, typer.Argument(help="Another one of the same scene.")],
    model: options.Model = None,
    peers: Annotated[
        str, typer.Option(help="More models or peers, separated by commas, or all for every peer.")
    ] = "",
    sizes: Annotated[
        str, typer.Option(help="The sizes of the images, px, separated by commas.")
    ] = "640x480,1024x768,1600x1200",
    keypoints: Annotated[
        str, typer.Option(help="The numbers of keypoints, separated by commas.")
    ] = "512,1024,2048",
    max_num_lines: options.LineBudget = 250,
    repeat: Annotated[int, typer.Option(help="How many rounds are counted.")] = 5,
    clock: Annotated[
        str, typer.Option(help="Which seconds: wall, or processor, on a machine that is busy.")
    ] = "wall",
    threads: options.Threads = None,
    write: Annotated[
        Path | None, typer.Option(help="Also write the page of speed, as docs/speed.md.")
    ] = None,
    device: options.Device = "auto",
) -> None:
    """Time every stage, from the files of two photographs to pictures of their matches.

    All take turns, so that whatever else the machine does slows them alike. Prints the median of
    each stage and half the distance between its quartiles.

    Example: gluestick benchmark speed a.jpg b.jpg --peers aliked+lightglue --write docs/speed.md
    """
    from gluestick.benchmarks.report import plots
    from gluestick.benchmarks.report.speed_page import stage_table, write_speed_page
    from gluestick.benchmarks.run.stage_speed import CLOCKS, measure_stages
    from gluestick.cli.devices import select_device
    from gluestick.cli.resources import use_threads
    from gluestick.pretrained import DEFAULT_MODEL

    if clock not in CLOCKS:
        raise ValueError(f"--clock needs to be one of {', '.join(CLOCKS)}, found {clock!r}")
    if write is not None:
        plots.check_matplotlib()
    use_threads(threads)
    selected = select_device(device)
    if clock == "processor" and selected.type != "cpu":
        raise ValueError("--clock processor says nothing about a GPU: leave it out")
    measured_sizes = [_size(text) for text in sizes.split(",")]

    def load(case: Case) -> Matcher:
        return _load(case, max_num_lines=max_num_lines).to(selected)

    with Console(stderr=True).status("Timing") as status:
        speeds = measure_stages(
            (image0, image1),
            load,
            names=options.matcher_names(model or DEFAULT_MODEL, peers),
            sizes=measured_sizes,
            numbers=[_number(text) for text in keypoints.split(",")],
            repeat=repeat,
            clock=clock,
            progress=status.update,
        )
    for size in measured_sizes:
        typer.echo(f"{size[0]}x{size[1]} px, seconds ({clock}), median ± half quartile distance:")
        typer.echo(stage_table(speeds, size=size))
    if write is not None:
        command = shlex.join(["gluestick", *sys.argv[1:]])
        written = write_speed_page(write, speeds, command=command)
        typer.echo("Written: " + ", ".join(map(str, written)))


def _load(case: Case, *, max_num_lines: int | None) -> Matcher:
    """Load a matcher that leaves images in their size."""
    from gluestick.catalog import load_matcher, matcher_card
    from gluestick.images import ResizeConfig

    config = matcher_card(case.name).config
    features = replace(config.features, resize=ResizeConfig(size=None))
    return load_matcher(
        case.name,
        config=replace(config, features=features),
        max_num_keypoints=case.num_keypoints,
        max_num_lines=max_num_lines,
    )


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.strip().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise ValueError(f"--sizes needs sizes such as 640x480, found {text!r}")
    return int(width), int(height)


def _number(text: str) -> int:
    if not (text.strip().isdecimal() and int(text)):
        raise ValueError(f"--keypoints needs numbers such as 1024, found {text!r}")
    return int(text)
