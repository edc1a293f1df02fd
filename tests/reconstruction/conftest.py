from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from sfm_scenes import POSES, SIZE, write_cameras, write_features, write_photographs

from gluestick.export import FeaturesReader, MatchesReader
from gluestick.reconstruction.known_cameras import read_known_cameras

PAIRS = list(combinations(POSES, 2))


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``images/``, ``cameras.json``, ``features.h5`` and ``matches.h5``."""
    folder = tmp_path_factory.mktemp("scene")
    write_photographs(folder / "images")
    write_cameras(folder / "cameras.json")
    write_features(folder, noise=0.1)
    return folder


@pytest.fixture
def readers(scene: Path) -> Iterator[tuple[FeaturesReader, MatchesReader]]:
    with FeaturesReader(scene / "features.h5") as f, MatchesReader(scene / "matches.h5") as m:
        yield f, m


@pytest.fixture
def database(
    scene: Path, tmp_path: Path, readers: tuple[FeaturesReader, MatchesReader]
) -> Iterator[tuple[Any, dict[str, int]]]:
    """An open database ``database.db`` with cameras, keypoints and matches."""
    pytest.importorskip("pycolmap")
    from gluestick.reconstruction.colmap.database import open_database
    from gluestick.reconstruction.colmap.features import add_keypoints, add_matches
    from gluestick.reconstruction.colmap.images import add_images

    known = read_known_cameras(scene / "cameras.json", list(POSES))
    with open_database(tmp_path / "database.db") as opened:
        ids = add_images(opened, scene / "images", dict.fromkeys(POSES, SIZE), known=known)
        add_keypoints(opened, readers[0], ids)
        add_matches(opened, readers[1], ids, PAIRS)
        yield opened, ids
