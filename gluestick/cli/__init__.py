"""The command line: ``gluestick COMMAND``."""

import typer

from gluestick.cli.benchmark import app as benchmark_app
from gluestick.cli.data import data
from gluestick.cli.detect import detect
from gluestick.cli.export import export
from gluestick.cli.match import match
from gluestick.cli.models import models
from gluestick.cli.train import train

__all__ = ["app", "main"]

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
app.command()(export)
app.command()(models)
app.command()(data)
app.command()(train)
app.add_typer(benchmark_app)


def main() -> None:
    """Run the command line."""
    app()
