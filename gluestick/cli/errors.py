"""Errors of the user's making end a command with one line."""

import functools
from collections.abc import Callable
from typing import ParamSpec

import typer

Parameters = ParamSpec("Parameters")


def one_line_errors(command: Callable[Parameters, None]) -> Callable[Parameters, None]:
    """Turn bad input and failing files into one line on stderr and exit status 2."""

    @functools.wraps(command)
    def guarded(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (ValueError, OSError, ImportError) as error:
            message = " ".join(str(error).split())
            typer.echo(f"gluestick: {message}", err=True)
            raise typer.Exit(2) from error

    return guarded
