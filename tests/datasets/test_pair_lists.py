from pathlib import Path

import pytest

from gluestick.datasets.pair_lists import all_pairs, read_lines, read_pairs, write_pairs


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    pairs = [("b.jpg", "a.jpg"), ("rooms/a.jpg", "b.jpg"), ("é.jpg", "a#1.jpg")]
    path = tmp_path / "lists" / "pairs.txt"
    write_pairs(path, pairs)
    assert path.read_bytes() == "b.jpg a.jpg\nrooms/a.jpg b.jpg\né.jpg a#1.jpg\n".encode()
    assert read_pairs(path) == pairs


def test_pairs_are_read_once_and_without_comments_and_scores(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text("# image0 image1\na b 0.7\n\n  b\tc\na b 0.9\nb a\n")
    assert read_pairs(path) == [("a", "b"), ("b", "c"), ("b", "a")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a b\n\na\n", "line 3: needs lines of two names"),
        (b"# nothing\n", "found none"),
        (b"\xff\xfe\x00", "text file"),
        (None, "there is no list"),
    ],
)
def test_lists_that_cannot_be_read(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "pairs.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_pairs(path)


@pytest.mark.parametrize("name", ["", "a b.jpg", "#a.jpg", "a.jpg\n", " a.jpg"])
def test_names_that_would_not_be_read_back_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "pairs.txt"
    with pytest.raises(ValueError, match="rename the file"):
        write_pairs(path, [("a.jpg", "b.jpg"), ("a.jpg", name)])
    assert not path.exists()


def test_lines_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "queries.txt"
    path.write_text("# query\n\n one with spaces \ntwo\n")
    assert read_lines(path) == [(3, "one with spaces"), (4, "two")]


def test_every_pair_of_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no folder"):
        all_pairs(tmp_path / "nowhere")
    (tmp_path / "b.png").touch()
    with pytest.raises(ValueError, match="at least two images, found 1"):
        all_pairs(tmp_path)
    (tmp_path / "deep").mkdir()
    for name in ("a.JPG", "deep/c.webp", "notes.txt"):
        (tmp_path / name).touch()
    assert all_pairs(tmp_path) == [
        ("a.JPG", "b.png"),
        ("a.JPG", "deep/c.webp"),
        ("b.png", "deep/c.webp"),
    ]
