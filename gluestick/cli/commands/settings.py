"""``gluestick settings``: every ``key=value`` with its default and its meaning."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import typer

from gluestick.cli import options
from gluestick.cli.errors import one_line_errors

_WIDTH = 100
_ATTRIBUTE = re.compile(r"^    (\w+): (.*(?:\n        .*)*)", re.MULTILINE)
_ROLE = re.compile(r":\w+:`~?([^`]+)`")


@one_line_errors
def settings(
    command: Annotated[
        str, typer.Argument(help="match, detect, or the name of a benchmark.")
    ] = "match",
    model: options.Model = None,
    config: options.Config = None,
) -> None:
    """List every setting that can follow the images as key=value, with default and meaning.

    With --model or --config, the values are those of the model or of the preset.

    Example: gluestick settings detect
    """
    from gluestick.presets import preset_names

    value = _defaults(command, model=model, config=config)
    for key, found, meaning, choices in describe(value):
        typer.echo(f"{key}={_as_text(found)}")
        if choices:
            meaning += f" One of {', '.join(choices)}."
        typer.echo(textwrap.fill(meaning, _WIDTH, initial_indent="    ", subsequent_indent="    "))
    if command == "match":
        typer.echo(f"\nPresets for --config: {', '.join(preset_names('match'))}")


def describe(value: Any, prefix: str = "") -> Iterator[tuple[str, Any, str, tuple[str, ...]]]:
    """Walk through the fields of a dataclass and of those within.

    Yields:
        The key, the value, the meaning from the docstring, and the choices where only some
        words are allowed.
    """
    hints = get_type_hints(type(value))
    meanings = _meanings(type(value))
    for field in fields(value):
        key, found = f"{prefix}{field.name}", getattr(value, field.name)
        if is_dataclass(found):
            yield from describe(found, f"{key}.")
        else:
            yield key, found, meanings.get(field.name, ""), _choices(hints[field.name])


def _defaults(command: str, *, model: str | None, config: Path | None) -> Any:
    from gluestick.benchmarks.tasks.registry import BENCHMARKS
    from gluestick.config import load_config
    from gluestick.features.extractor import FeatureExtractorConfig

    if command in ("match", "export"):
        return options.match_config(config, (), model=model, weights=None, detector_weights=None)
    if model is not None:
        raise ValueError(f"--model has settings for match only, found {command}")
    if command == "detect":
        return load_config(config, defaults=FeatureExtractorConfig())
    if command not in BENCHMARKS:
        raise ValueError(
            f"there are settings of match, detect, {', '.join(BENCHMARKS)}, found {command}"
        )
    return load_config(config, defaults=BENCHMARKS[command].config())


def _meanings(owner: type) -> dict[str, str]:
    """Return what the docstrings of a class and of those it extends say of each field."""
    found: dict[str, str] = {}
    for each in reversed(owner.__mro__):
        text = inspect.getdoc(each) or ""
        _, _, attributes = text.partition("Attributes:\n")
        for name, meaning in _ATTRIBUTE.findall(attributes):
            plain = _ROLE.sub(r"\1", " ".join(meaning.split()))
            found[name] = plain.replace("``", "")
    return found


def _choices(hint: Any) -> tuple[str, ...]:
    """Return the words that a type allows, those of a union too."""
    parts = get_args(hint)
    words = [word for part in parts for word in (_choices(part) or (part,))]
    return tuple(words) if words and all(isinstance(word, str) for word in words) else ()


def _as_text(value: Any) -> str:
    """Return a value as it can be given."""
    if value is None or isinstance(value, bool):
        return str({None: "null", True: "true", False: "false"}[value])
    if isinstance(value, tuple | list):
        return f"[{','.join(map(_as_text, value))}]"
    return str(value)
