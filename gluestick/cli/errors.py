"""Whatever ends a command early ends it with one line."""

import functools
import os
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import ParamSpec

import typer

Parameters = ParamSpec("Parameters")

TRACEBACK_VARIABLE = "GLUESTICK_TRACEBACK"
"""The environment variable that lets unexpected errors show where they come from."""

_BAD_INPUT, _UNEXPECTED, _INTERRUPTED = 2, 1, 130


def one_line_errors(command: Callable[Parameters, None]) -> Callable[Parameters, None]:
    """Turn every error of a command into one line on stderr.

    The exit status is 2 for bad input and failing files, 130 after Ctrl-C, and 1 where memory
    does not suffice or the program is wrong. A closed pipe ends it without a word. Warnings of
    libraries are not shown unless Python is told to.
    """

    @functools.wraps(command)
    def guarded(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        try:
            with warnings.catch_warnings():
                if not sys.warnoptions:
                    warnings.simplefilter("ignore")
                command(*args, **kwargs)
            sys.stdout.flush()
        except KeyboardInterrupt as error:
            raise _ended("interrupted", _INTERRUPTED) from error
        except BrokenPipeError as error:
            close_output()
            raise typer.Exit(0) from error
        except (ValueError, OSError, ImportError) as error:
            raise _ended(str(error), _BAD_INPUT) from error
        except MemoryError as error:
            raise _ended(_out_of_memory(), _UNEXPECTED) from error
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            if os.environ.get(TRACEBACK_VARIABLE):
                raise
            if _lacks_memory(error):
                raise _ended(_out_of_memory(), _UNEXPECTED) from error
            raise _ended(
                f"unexpected {type(error).__name__}: {error} (this is a fault of the program; "
                f"{TRACEBACK_VARIABLE}=1 shows where)",
                _UNEXPECTED,
            ) from error

    return guarded


def close_output() -> None:
    """Let nothing more be written to a closed pipe, not even when the interpreter ends."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _ended(message: str, status: int) -> typer.Exit:
    typer.echo(f"gluestick: {' '.join(message.split())}", err=True)
    return typer.Exit(status)


def _lacks_memory(error: Exception) -> bool:
    """Tell whether torch or OpenCV could not get memory."""
    said = "out of memory", "not enough memory", "can't allocate", "insufficient memory"
    return any(words in str(error).lower() for words in said)


def _out_of_memory() -> str:
    return "not enough memory: use --resize with fewer pixels, or fewer keypoints"
