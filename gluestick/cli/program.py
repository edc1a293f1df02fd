"""All commands of the command line, put together."""

from typing import Annotated

import typer

import gluestick
from gluestick.cli.commands.folders.export import app as export_app
from gluestick.cli.commands.folders.localize import localize
from gluestick.cli.commands.folders.reconstruct import reconstruct
from gluestick.cli.commands.learning.benchmark import app as benchmark_app
from gluestick.cli.commands.learning.data import data
from gluestick.cli.commands.learning.train import train
from gluestick.cli.commands.learning.worlds import worlds
from gluestick.cli.commands.models import models
from gluestick.cli.commands.pairs.detect import detect
from gluestick.cli.commands.pairs.match import match
from gluestick.cli.commands.pairs.stitch import stitch
from gluestick.cli.commands.pairs.track import track
from gluestick.cli.commands.serve import serve
from gluestick.cli.commands.settings import settings
from gluestick.cli.commands.web import web

app = typer.Typer(
    name="gluestick",
    help="Match two images by keypoints and line segments.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(match)
app.command()(detect)
app.command()(stitch)
app.command()(track)
app.command()(reconstruct)
app.command()(serve)
app.command()(localize)
app.command()(web)
app.command()(models)
app.command()(settings)
app.command()(data)
app.command()(worlds)
app.command()(train)
app.add_typer(export_app)
app.add_typer(benchmark_app)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gluestick {gluestick.__version__}")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Match two images by keypoints and line segments."""
