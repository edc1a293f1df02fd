"""A progress bar on stderr, where somebody sees it."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.progress import track


def show_progress(items: Sequence[Any], title: str) -> Iterable[Any]:
    """Pass items on, one after the other, and show how far it is under a title."""
    console = Console(stderr=True)
    hidden = not items or not console.is_terminal
    return track(items, title, console=console, disable=hidden)
