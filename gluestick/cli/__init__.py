"""The command line: ``gluestick COMMAND``."""

import sys
from typing import Any

__all__ = ["app", "main"]

_INTERRUPTED = 130


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gluestick.cli.program import app

    return app


def main() -> None:
    """Run the command line.

    The commands are imported here, so that Ctrl-C ends their import in one line as well.
    """
    try:
        from gluestick.cli.errors import close_output
        from gluestick.cli.program import app
    except KeyboardInterrupt:
        sys.stderr.write("gluestick: interrupted\n")
        sys.exit(_INTERRUPTED)
    try:
        app()
    finally:
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            close_output()
