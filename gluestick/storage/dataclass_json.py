"""Dataclasses as JSON: configurations that are stored beside what they describe."""

import json
import types
from dataclasses import asdict, fields, is_dataclass
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

Value = TypeVar("Value")


def to_json(value: Any) -> str:
    """Return a dataclass of plain values, tuples, dicts and further dataclasses as JSON."""
    return json.dumps(asdict(value), sort_keys=True)


def from_json(kind: type[Value], text: str) -> Value:
    """Return the dataclass that :func:`to_json` was given.

    Args:
        kind: Its type. Fields that the text lacks get their defaults.
        text: The JSON.

    Raises:
        ValueError: If the text is not JSON, names an unknown field or has a value that the
            dataclass refuses.
    """
    return _decode(kind, json.loads(text))


def _decode(hint: Any, value: Any) -> Any:
    if isinstance(hint, type) and is_dataclass(hint):
        hints = get_type_hints(hint)
        unknown = set(value) - {field.name for field in fields(hint)}
        if unknown:
            raise ValueError(f"{hint.__name__} has no field {min(unknown)!r}")
        return hint(**{name: _decode(hints[name], entry) for name, entry in value.items()})
    if get_origin(hint) in (Union, types.UnionType):
        own = next(kind for kind in get_args(hint) if kind is not type(None))
        return None if value is None else _decode(own, value)
    if get_origin(hint) is tuple:
        return tuple(_decode(get_args(hint)[0], entry) for entry in value)
    return value
