from pathlib import Path

import pytest

from gluestick.datasets.pair_lists import (
    all_pairs,
    pairs_of_folder,
    read_lines,
    read_pairs,
    write_pairs,
)


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


ODD_NAMES = [
    "a b.jpg",
    "#a.jpg",
    " a.jpg",
    "'a.jpg",
    'say "a".jpg',
    '"',
    "a\tb.jpg",
    "l'a b.jpg",
    "a",
]


@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.parametrize("other", ["b.jpg", "c d.jpg", "e'f"])
def test_odd_names_are_read_back(tmp_path: Path, name: str, other: str) -> None:
    path = tmp_path / "pairs.txt"
    pairs = [(name, other), (other, name)]
    write_pairs(path, pairs)
    assert read_pairs(path) == pairs
    assert read_pairs(path, names=[name, other]) == pairs


@pytest.mark.parametrize(
    ("line", "pair"),
    [
        ("my photo.jpg other photo.PNG 0.5", ("my photo.jpg", "other photo.PNG")),
        ("my photo.jpg\tother photo.jpg", ("my photo.jpg", "other photo.jpg")),
        ("a b\tc d\t0.5", ("a b", "c d")),
        ("a.jpg\tb.jpg 0.9", ("a.jpg", "b.jpg")),
        ('"a b" c', ("a b", "c")),
        ("'a b.jpg'  \"c d.jpg\" 3", ("a b.jpg", "c d.jpg")),
        ("l'a.jpg d'b.jpg", ("l'a.jpg", "d'b.jpg")),
        ("a.jpg b.jpg c.jpg", ("a.jpg", "b.jpg")),
        ('a "b', ("a", '"b')),
    ],
)
def test_names_with_spaces_and_quotes(tmp_path: Path, line: str, pair: tuple[str, str]) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text(f"{line}\n")
    assert read_pairs(path) == [pair]


@pytest.mark.parametrize(
    ("line", "pair"),
    [
        ("a b c", ("a b", "c")),
        ("a b  c d 0.5", ("a b", "c d")),
        ("a b.jpg copy.jpg c", ("a b.jpg copy.jpg", "c")),
        ("x y", ("x", "y")),
    ],
)
def test_known_names_tell_where_names_end(tmp_path: Path, line: str, pair: tuple[str, str]) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text(line)
    assert read_pairs(path, names={"a b", "c", "c d", "a b.jpg copy.jpg"}) == [pair]


def test_what_can_be_read_in_two_ways_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text("a b\na b c\n")
    with pytest.raises(ValueError, match="line 2: 'a b c' can be read in several ways"):
        read_pairs(path, names={"a", "b", "a b", "b c", "c"})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_byte_order_marks_and_ends_of_lines(tmp_path: Path, encoding: str, end: str) -> None:
    path = tmp_path / "pairs.txt"
    path.write_bytes(end.join(["a b", "# c d", "\t", "é f\u2028g"]).encode(encoding))
    assert read_pairs(path) == [("a", "b"), ("é", "f")]


def test_pairs_of_a_folder(tmp_path: Path) -> None:
    for name in ("a b.png", "a b.png c.png"):
        (tmp_path / name).touch()
    listed = tmp_path / "pairs.txt"
    with pytest.raises(ValueError, match="no list of pairs"):
        pairs_of_folder(tmp_path / "nowhere", listed)
    listed.write_text("a b.png a b.png c.png 0.5\n")
    assert pairs_of_folder(tmp_path, listed) == [("a b.png", "a b.png c.png")]
    assert pairs_of_folder(tmp_path, None) == [("a b.png", "a b.png c.png")]
    (tmp_path / "a b.png").unlink()
    with pytest.raises(ValueError, match="at least two images"):
        pairs_of_folder(tmp_path, None)


@pytest.mark.parametrize("name", ["", "a.jpg\n", "a\rb.jpg"])
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
