import csv
from pathlib import Path

import numpy as np
import pytest

from gluestick.checks import ShapeError
from gluestick.tracking import Tracks, read_tracks_npz, write_tracks_csv, write_tracks_npz
from gluestick.tracking.tracks import join_tracks


def tracks(frames: list[int], identities: list[int], kind: int = 0) -> Tracks:
    number = len(frames)
    coordinates = np.arange(4 * number, dtype=np.float32).reshape(number, 4) + 0.25
    if kind == 0:
        coordinates[:, 2:] = np.nan
    return Tracks(
        frames=np.array(frames, np.int64),
        identities=np.array(identities, np.int64),
        kinds=np.full(number, kind, np.int64),
        coordinates=coordinates,
        scores=np.full(number, 0.5, np.float32),
        image_size=np.array([64, 48]),
    )


def test_both_files_say_the_same(tmp_path: Path) -> None:
    joined = join_tracks([tracks([0, 1, 0], [4, 4, 2]), tracks([0, 1], [3, 3], kind=1)])
    assert joined.identities.tolist() == [2, 3, 4, 3, 4]
    write_tracks_csv(tmp_path / "tracks.csv", joined)
    write_tracks_npz(tmp_path / "tracks.npz", joined)
    read = read_tracks_npz(tmp_path / "tracks.npz")
    for name in ("frames", "identities", "kinds", "coordinates", "scores", "image_size"):
        np.testing.assert_array_equal(getattr(read, name), getattr(joined, name))
    with (tmp_path / "tracks.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["identity"]) for row in rows] == joined.identities.tolist()
    assert [row["kind"] for row in rows] == ["point", "line", "point", "line", "point"]
    written = [[float(row[name] or "nan") for name in ("x0", "y0", "x1", "y1")] for row in rows]
    np.testing.assert_allclose(written, joined.coordinates)
    assert joined.count("point") == 2
    assert joined.lengths("line").tolist() == [2]


def test_damaged_files_are_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no file"):
        read_tracks_npz(tmp_path / "nowhere.npz")
    (tmp_path / "text.npz").write_text("nothing")
    with pytest.raises(ValueError, match="cannot be read as tracks"):
        read_tracks_npz(tmp_path / "text.npz")


def test_shapes_are_checked() -> None:
    with pytest.raises(ShapeError, match="coordinates"):
        Tracks(
            frames=np.zeros(1, int),
            identities=np.zeros(1, int),
            kinds=np.zeros(1, int),
            coordinates=np.zeros((1, 2)),
            scores=np.zeros(1),
            image_size=np.zeros(2, int),
        )
