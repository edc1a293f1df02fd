"""``gluestick models``: what is available, its licence and origin."""

from textwrap import dedent

import typer

from gluestick.cli.errors import one_line_errors


@one_line_errors
def models() -> None:
    """List the models, their licences and their origins.

    Example: gluestick models
    """
    from gluestick.peers import PEERS
    from gluestick.pretrained import DEFAULT_MODEL, MODELS
    from gluestick.weights import shipped_files

    for card in MODELS.values():
        weights = "in the package" if card.shipped else "name files: --weights, --detector-weights"
        block = f"""\
            {card.name}{" (default)" if card.name == DEFAULT_MODEL else ""}
                {card.summary}
                weights: {weights}
                licence: {card.licence}
                origin:  {card.origin}
            """
        typer.echo(dedent(block))
    typer.echo("Peers, for comparison (their weights come with `make peers`):")
    for peer in PEERS.values():
        typer.echo(f"    {peer.name}: {peer.summary}; {peer.licence}")
    typer.echo("\nFiles in the package:")
    for file in shipped_files().values():
        typer.echo(f"    {file.name}: {file.licence}; {file.origin}; SHA-256 {file.sha256}")
