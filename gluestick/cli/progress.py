"""How far a command is, for those who watch it."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.progress import track


def progress(items: Sequence[Any], title: str) -> Iterable[Any]:
    """Pass items on and show on stderr how many are left, where that is a terminal.

    Args:
        items: What is worked through.
        title: What is done with it.
    """
    console = Console(stderr=True)
    hidden = not items or not console.is_terminal
    return track(items, title, console=console, transient=True, disable=hidden)
