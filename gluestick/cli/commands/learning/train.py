"""``gluestick train``: a network or a head, from a configuration file."""

from pathlib import Path
from typing import Annotated

import typer

from gluestick.cli.errors import one_line_errors


@one_line_errors
def train(
    config: Annotated[Path, typer.Argument(help="A YAML file, such as configs/train/cpu.yaml.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Further settings, such as resume=true.")
    ] = None,
) -> None:
    """Train a network, or a part of one.

    Writes weights, states to go on from, figures and what it was told to the folder `output`.

    Example: gluestick train configs/train/cpu.yaml data.photographs=PHOTOS cache=output/cache
    """
    from gluestick.config import load_config
    from gluestick.training.config import TrainConfig
    from gluestick.training.runs.run import train as run

    settings = load_config(config, overrides or [], defaults=TrainConfig())
    done = run(settings, say=typer.echo)
    if not done:
        typer.echo("The time is up: go on with resume=true")
    typer.echo(f"Written to {settings.output}")
