from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gluestick.reconstruction.pairs import selection
from gluestick.reconstruction.pairs.retrieval import PhotographDescriptors
from gluestick.reconstruction.pairs.selection import PairsConfig, choose_pairs

NAMES = [f"{index:02}.png" for index in range(8)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight photographs, the first four with GPS: three near each other and one far away."""
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    for index, name in enumerate(NAMES):
        exif = Image.Exif()
        exif[0x0112] = 1  # Pillow writes no EXIF into PNG that has nothing but GPS
        if index < 4:
            minutes = 0.001 * index if index < 3 else 30
            exif.get_ifd(0x8825).update({1: "N", 2: (50, minutes, 0), 3: "E", 4: (4, 0, 0)})
        Image.new("RGB", (8, 6)).save(photographs / name, exif=exif)
    return photographs


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> None:
    """Photographs that lie on a ring, so that the last is similar to the first."""

    def describe(self: PhotographDescriptors, names: list[str], **_: object) -> np.ndarray:
        angles = 2 * np.pi * np.arange(len(names)) / len(names)
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    monkeypatch.setattr(PhotographDescriptors, "describe", describe)


def choose(folder: Path, pairs_file: Path | None = None, **options: object) -> list:
    return choose_pairs(
        folder, folder.parent / "r.h5", config=PairsConfig(**options), pairs_file=pairs_file
    )


def test_small_folders_are_matched_exhaustively(folder: Path) -> None:
    assert choose(folder) == list(combinations(NAMES, 2))
    assert choose(folder, method="exhaustive") == list(combinations(NAMES, 2))


@pytest.mark.usefixtures("ring")
def test_large_folders_are_retrieved(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "EXHAUSTIVE_UP_TO", 4)
    found = choose(folder, num_similar=2)
    assert len(found) == 8
    assert ("00.png", "07.png") in found


@pytest.mark.usefixtures("ring")
def test_sequences_close_their_loops(folder: Path) -> None:
    following = choose(folder, method="sequential", overlap=2, loop_period=0)
    assert len(following) == 7 + 6
    assert ("00.png", "07.png") not in following
    closed = choose(folder, method="sequential", overlap=2, loop_period=4, num_similar=1)
    assert len(set(closed) - set(following)) == 2
    assert closed[: len(following)] == following


@pytest.mark.usefixtures("ring")
def test_gps_pairs_the_near_and_compares_the_rest(folder: Path) -> None:
    found = choose(folder, method="gps", num_similar=1)
    near = [("00.png", "01.png"), ("00.png", "02.png"), ("01.png", "02.png")]
    assert found[:3] == near
    assert all(set(pair) & set(NAMES[4:]) for pair in found[3:])
    assert set(NAMES[4:]) <= {name for pair in found for name in pair}


def test_a_list_comes_before_all(folder: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("01.png 00.png\n02.png 05.png\n")
    assert choose(folder, pairs) == [("01.png", "00.png"), ("02.png", "05.png")]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "all"}, "pairs need to be auto, exhaustive"),
        ({"overlap": 0}, "overlap needs to be at least 1"),
        ({"max_distance": 0}, "max_distance positive"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        PairsConfig(**options)


def test_folders_without_pairs_are_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"no list of pairs nowhere\.txt"):
        choose(folder, Path("nowhere.txt"))
    for name in NAMES[1:]:
        (folder / name).unlink()
    with pytest.raises(ValueError, match=r"at least two photographs, and .* has 1"):
        choose(folder)
