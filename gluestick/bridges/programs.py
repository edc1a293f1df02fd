"""The programs on the other side of the bridges."""

from importlib import import_module
from typing import Any


def import_program(module: str, *, install: str) -> Any:
    """Import a module of a program that need not be installed.

    Args:
        module: Its full name.
        install: How the program is installed.

    Returns:
        The module.

    Raises:
        ImportError: If it is missing.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"this bridge needs {module}, which cannot be imported ({error}): {install}"
        ) from error
