"""Line maps in files: PLY with edges, OBJ, and JSON with the tracks."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gluestick.reconstruction.lines.values import LineMap
from gluestick.storage.atomic import atomic_path

_FILES = ("lines.ply", "lines.obj", "lines.json")


def write_line_map(
    folder: Path, lines: LineMap, names: Sequence[str], *, made_from: str = ""
) -> list[Path]:
    """Write ``lines.ply``, ``lines.obj`` and, as the last one, ``lines.json``.

    Args:
        folder: Where to; it is created.
        lines: The line map.
        names: The names of its views.
        made_from: A digest of what it is made from, which JSON keeps.

    Returns:
        The files.

    Raises:
        OSError: If a file cannot be written; an earlier one is left as it was.
    """
    vertices = [" ".join(f"{value:.9g}" for value in end) for end in lines.segments.reshape(-1, 3)]
    texts = _ply(vertices), _obj(vertices), _json(lines, names, made_from)
    for name, text in zip(_FILES, texts, strict=True):
        with atomic_path(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return [folder / name for name in _FILES]


def remove_line_map(folder: Path) -> None:
    """Remove what :func:`write_line_map` wrote, so that no map of another model is left."""
    for name in reversed(_FILES):
        (folder / name).unlink(missing_ok=True)


def read_line_map(path: Path, names: Sequence[str]) -> tuple[LineMap, str]:
    """Read ``lines.json``.

    Args:
        path: The file.
        names: The names of the views.

    Returns:
        The line map, to the digits that are stored, and the digest of what it is made from.

    Raises:
        ValueError: If the file is missing or damaged, or names another view.
    """
    places = {name: number for number, name in enumerate(names)}
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        entries = stored["lines"]
        rows = [
            (number, places[seen["image"]], seen["line"])
            for number, entry in enumerate(entries)
            for seen in entry["track"]
        ]
        found = LineMap(
            segments=np.array([entry["ends"] for entry in entries], np.float64).reshape(-1, 2, 3),
            errors=np.array([entry["reprojection_error"] for entry in entries], np.float64),
            uncertainties=np.array([entry["uncertainty"] for entry in entries], np.float64),
            observations=np.array(rows, np.int64).reshape(-1, 3),
        )
        return found, str(stored["made_from"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a line map of these photographs: {error!r}") from error


def _ply(vertices: Sequence[str]) -> str:
    header = [
        "ply",
        "format ascii 1.0",
        f"element vertex {len(vertices)}",
        *(f"property double {axis}" for axis in "xyz"),
        f"element edge {len(vertices) // 2}",
        "property int vertex1",
        "property int vertex2",
        "end_header",
    ]
    edges = (f"{first} {first + 1}" for first in range(0, len(vertices), 2))
    return "\n".join([*header, *vertices, *edges]) + "\n"


def _obj(vertices: Sequence[str]) -> str:
    edges = (f"l {first} {first + 1}" for first in range(1, len(vertices), 2))
    return "\n".join([*(f"v {vertex}" for vertex in vertices), *edges]) + "\n"


def _json(lines: LineMap, names: Sequence[str], made_from: str) -> str:
    tracks: list[list[dict[str, Any]]] = [[] for _ in range(len(lines))]
    for line, view, segment in lines.observations.tolist():
        tracks[line].append({"image": names[view], "line": segment})
    columns = (lines.lengths, lines.num_views, lines.errors, lines.uncertainties)
    entries = [
        {
            "ends": ends,
            "length": _digits(length),
            "num_views": num_views,
            "reprojection_error": _digits(error),
            "uncertainty": _digits(uncertainty),
            "track": track,
        }
        for ends, length, num_views, error, uncertainty, track in zip(
            lines.segments.tolist(), *(column.tolist() for column in columns), tracks, strict=True
        )
    ]
    rows = ",\n".join(json.dumps(entry) for entry in entries)
    return f'{{"made_from": {json.dumps(made_from)}, "lines": [\n{rows}\n]}}\n'


def _digits(value: float) -> float:
    return float(f"{value:.6g}")
