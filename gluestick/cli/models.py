"""``gluestick models``: what is available, its licence and origin."""

import typer
from rich.console import Console
from rich.table import Table

from gluestick.pretrained import DEFAULT_MODEL, MODELS
from gluestick.weights import shipped_files


def models() -> None:
    """List the models, their licences and their origins.

    Example: gluestick models
    """
    table = Table("model", "what it is", "weights", "licence", "origin", show_lines=True)
    for card in MODELS.values():
        name = f"{card.name} (default)" if card.name == DEFAULT_MODEL else card.name
        weights = "in the package" if card.shipped else "--weights, --detector-weights"
        table.add_row(name, card.summary, weights, card.licence, card.origin)
    console = Console()
    console.print(table)
    typer.echo("Files in the package:")
    for file in shipped_files().values():
        typer.echo(f"  {file.name}: {file.licence}, {file.origin}, SHA-256 {file.sha256}")
