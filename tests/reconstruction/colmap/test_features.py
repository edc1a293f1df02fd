import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sfm_scenes import NUM_JUNCTIONS, NUM_POINTS, POSES, SIZE, keypoints

from gluestick.export import FeaturesReader, MatchesReader
from gluestick.reconstruction.colmap import features
from gluestick.reconstruction.colmap.database import open_database
from gluestick.reconstruction.colmap.features import add_keypoints, add_matches, index_pairs
from gluestick.reconstruction.colmap.images import add_images

Database = tuple[Any, dict[str, int]]
Readers = tuple[FeaturesReader, MatchesReader]


def test_keypoints_are_counted_from_the_corner(database: Database, readers: Readers) -> None:
    opened, ids = database
    for name, number in ids.items():
        stored = opened.read_keypoints(number)
        np.testing.assert_array_equal(stored, readers[0].read(name)["keypoints"] + 0.5)
        assert np.abs(stored - 0.5 - keypoints(name)).max() < 0.6


def test_matches_keep_their_indices(database: Database, readers: Readers) -> None:
    opened, ids = database
    stored = opened.read_matches(ids["0.png"], ids["2.png"])
    arrays = readers[1].read("0.png", "2.png")
    assert len(stored) < NUM_POINTS
    np.testing.assert_array_equal(arrays["matches0"][stored[:, 0]], stored[:, 1])
    assert stored.min() >= NUM_JUNCTIONS


def test_matches_of_junctions_are_added_where_asked_for() -> None:
    arrays = {
        "matches0": np.array([-1, -1, 3, 2]),
        "junction_matches0": np.array([1, -1, -1, -1]),
    }
    assert index_pairs(arrays, junctions=True).tolist() == [[0, 1], [2, 3], [3, 2]]
    assert index_pairs(arrays, junctions=False).tolist() == [[2, 3], [3, 2]]
    assert index_pairs({"matches0": np.zeros(0, np.int64)}, junctions=True).shape == (0, 2)


def test_a_second_time_changes_nothing_and_others_are_refused(
    database: Database, readers: Readers
) -> None:
    opened, ids = database
    pair = ("0.png", "1.png")
    add_keypoints(opened, readers[0], ids)
    add_matches(opened, readers[1], ids, [pair])
    with pytest.raises(ValueError, match=r"other matches of 0\.png and 1\.png"):
        add_matches(opened, readers[1], ids, [pair], junctions=True)
    swapped = dict(zip(POSES, reversed(ids.values()), strict=True))
    with pytest.raises(ValueError, match=r"other keypoints of 0\.png"):
        add_keypoints(opened, readers[0], swapped)


def _killed(path: Path, scene: Path) -> None:
    """Add everything, and die in the middle of the matches."""

    def dying(items: Sequence[Any], title: str) -> Iterator[Any]:
        for number, item in enumerate(items):
            if title.startswith("Matches") and number == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            yield item

    features.PAIRS_PER_TRANSACTION = 2
    with (
        FeaturesReader(scene / "features.h5") as found,
        MatchesReader(scene / "matches.h5") as matches,
        open_database(path) as opened,
    ):
        ids = add_images(opened, scene / "images", dict.fromkeys(POSES, SIZE))
        add_keypoints(opened, found, ids)
        add_matches(opened, matches, ids, list(combinations(POSES, 2)), progress=dying)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not fork")
def test_a_killed_run_goes_on(scene: Path, readers: Readers, tmp_path: Path) -> None:
    pytest.importorskip("pycolmap")
    path = tmp_path / "killed.db"
    child = multiprocessing.get_context("fork").Process(target=_killed, args=(path, scene))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    with open_database(path) as opened:
        assert opened.num_matched_image_pairs() == 4
        ids = add_images(opened, scene / "images", dict.fromkeys(POSES, SIZE))
        assert opened.num_images() == len(POSES)
        add_keypoints(opened, readers[0], ids)
        add_matches(opened, readers[1], ids, list(combinations(POSES, 2)))
        assert opened.num_matched_image_pairs() == 6
