"""``gluestick web``: a page on which photographs are dropped and matched."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gluestick.cli import options
from gluestick.cli.errors import one_line_errors


@one_line_errors
def web(
    host: Annotated[
        str,
        typer.Option(help="The address to listen at; 0.0.0.0 lets other computers in."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0 for a free one.")] = 7860,
    reconstruction: Annotated[
        Path | None,
        typer.Option(
            help="An output folder of `gluestick reconstruct`, whose report is shown.",
            show_default="none",
        ),
    ] = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
) -> None:
    """Serve a page on which photographs are dropped, matched and looked at.

    Only this computer reaches it unless --host says otherwise. Photographs and results are
    deleted when their page is closed, after an hour without use, and when the command ends.

    Example: gluestick web --reconstruction output/reconstruction
    """
    from gluestick.cli.devices import select_device
    from gluestick.cli.resources import use_threads
    from gluestick.web.server import LOOPBACK, serve

    def started(address: str) -> None:
        if host not in LOOPBACK:
            typer.echo(
                f"gluestick: warning: everyone who reaches {host} can use this page", err=True
            )
        typer.echo(f"Open {address} in a browser; Ctrl-C ends.")

    serve(
        host=host,
        port=port,
        device=select_device(device),
        threads=use_threads(threads),
        reconstruction=reconstruction,
        on_start=started,
    )
