"""Tracks of points and lines as one table, and the files that hold it."""

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gluestick.checks import check_shapes
from gluestick.storage.atomic import atomic_path

KINDS = ("point", "line")
"""What is followed, by its number in :attr:`Tracks.kinds`."""

_COLUMNS = ("frame", "identity", "kind", "x0", "y0", "x1", "y1", "score")
_SPECS = {
    "frames": "S",
    "identities": "S",
    "kinds": "S",
    "coordinates": "S 4",
    "scores": "S",
    "image_size": "2",
}


@dataclass(frozen=True, kw_only=True)
class Tracks:
    """Where points and lines were seen, a row for each frame that shows one.

    Rows are in the order of the frames, and within a frame of the identities.

    Attributes:
        frames: [S] int64, the number of the frame in the video or folder.
        identities: [S] int64, the same for the same point or line; points and lines share none.
        kinds: [S] int64, indices of :data:`KINDS`.
        coordinates: [S, 4] float32, x and y px of a point, then NaN; or of both ends of a line,
            whose first end stays the first.
        scores: [S] float32 in [0, 1], the probability of the match that brought the track to this
            frame; in its first frame that of the match that leads on.
        image_size: [2] int64, (width, height) px of the frames.
    """

    frames: np.ndarray
    identities: np.ndarray
    kinds: np.ndarray
    coordinates: np.ndarray
    scores: np.ndarray
    image_size: np.ndarray

    def __post_init__(self) -> None:
        check_shapes("Tracks", {name: getattr(self, name) for name in _SPECS}, _SPECS)

    def count(self, kind: str) -> int:
        """Return how many tracks of a kind there are."""
        return len(np.unique(self.identities[self.kinds == KINDS.index(kind)]))

    def lengths(self, kind: str) -> np.ndarray:
        """Return in how many frames each track of a kind was seen, [T] int64."""
        chosen = self.kinds == KINDS.index(kind)
        return np.unique(self.identities[chosen], return_counts=True)[1]


def join_tracks(parts: Sequence[Tracks]) -> Tracks:
    """Return the rows of several tables of the same frames as one."""
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in _SPECS
        if name != "image_size"
    }
    order = np.lexsort((columns["identities"], columns["frames"]))
    return Tracks(
        image_size=parts[0].image_size, **{name: values[order] for name, values in columns.items()}
    )


def write_tracks_csv(path: str | os.PathLike[str], tracks: Tracks) -> None:
    """Write tracks as text, one row for each sight; points leave ``x1`` and ``y1`` empty.

    Args:
        path: The file.
        tracks: The tracks.

    Raises:
        OSError: If it cannot be written; an earlier file is left as it was.
    """
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for frame, identity, kind, place, score in zip(
            tracks.frames.tolist(),
            tracks.identities.tolist(),
            tracks.kinds.tolist(),
            tracks.coordinates.tolist(),
            tracks.scores.tolist(),
            strict=True,
        ):
            shown = ("" if value != value else f"{value:.3f}" for value in place)
            writer.writerow((frame, identity, KINDS[kind], *shown, f"{score:.4f}"))


def write_tracks_npz(path: str | os.PathLike[str], tracks: Tracks) -> None:
    """Write tracks as a numpy archive with the arrays of :class:`Tracks`.

    Arguments and errors are those of :func:`write_tracks_csv`.
    """
    arrays = {name: getattr(tracks, name) for name in _SPECS}
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)


def read_tracks_npz(path: str | os.PathLike[str]) -> Tracks:
    """Read what :func:`write_tracks_npz` wrote.

    Raises:
        ValueError: If there is no such file, it is damaged, or something is missing.
    """
    if not Path(path).is_file():
        raise ValueError(f"there is no file {path}")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return Tracks(**{name: archive[name] for name in _SPECS})
    except PermissionError:
        raise
    except Exception as error:  # damaged archives raise whatever zlib, zipfile or struct do
        raise ValueError(f"{path} cannot be read as tracks: {error}") from error
