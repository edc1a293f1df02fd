"""Lists of image pairs: text files with two names in a line, as hloc's tools read and write them.

Names are paths relative to a folder of images, with ``/``. They stand apart by a tab or by spaces;
a name with spaces is told by where the names of known images, or the suffixes of image files, end,
or stands in ``"`` or ``'``, within which a doubled quote is one. Empty lines and those that begin
with ``#`` are left out, and a byte order mark and the ends of lines of other systems are read
over.
"""

import codecs
import re
from collections.abc import Collection, Iterable
from itertools import combinations
from pathlib import Path

from gluestick.datasets.photographs import SUFFIXES, list_photographs
from gluestick.storage.atomic import atomic_path

NamePair = tuple[str, str]
"""The names of image 0 and of image 1."""

_WORD = re.compile(r"""("(?:[^"]|"")*"|'(?:[^']|'')*')(?=\s|$)|(\S+)""")
_IMAGE_NAME = rf"\S(?:.*?\S)?(?:{'|'.join(re.escape(suffix) for suffix in SUFFIXES)})(?=\s|$)"
_SCORES = re.compile(r"(?:\s+[-+]?[0-9.]+(?:e[-+]?[0-9]+)?)*", re.IGNORECASE)
_ONE_IMAGE_NAME = re.compile(_IMAGE_NAME, re.IGNORECASE)
_TWO_IMAGE_NAMES = re.compile(rf"({_IMAGE_NAME})\s+({_IMAGE_NAME})", re.IGNORECASE)


def read_pairs(path: Path, *, names: Collection[str] | None = None) -> list[NamePair]:
    """Read a list of pairs.

    Args:
        path: The file. What follows two names in a line, such as a score, is left out.
        names: The names of known images, which tell where a name with spaces ends.

    Returns:
        The pairs in the order of the file, each once.

    Raises:
        ValueError: If the file is missing, no text or empty, or a line has fewer than two names
            or can be read in two ways; the message names the line.
    """
    known = frozenset(names or ())
    pairs = []
    for number, line in read_lines(path):
        try:
            pairs.append(_two_names(line, known))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
    if not pairs:
        raise ValueError(f"{path} needs lines of two image names, found none")
    return list(dict.fromkeys(pairs))


def write_pairs(path: Path, pairs: Iterable[NamePair]) -> None:
    """Write a list of pairs; names that need it stand in quotes, which hloc does not read.

    Args:
        path: The file.
        pairs: The pairs.

    Raises:
        ValueError: If a name would not be read back: it is empty or has a line break.
        OSError: If the file cannot be written; an earlier file is left as it was.
    """
    lines = []
    for pair in pairs:
        for name in pair:
            if not name or re.search(r"[\r\n]", name):
                raise ValueError(
                    f"a list of pairs needs names of at least one character and without line "
                    f"breaks, found {name!r}: rename the file"
                )
        lines.append(" ".join(map(_quoted, pair)) + "\n")
    with atomic_path(path) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")


def all_pairs(image_dir: Path) -> list[NamePair]:
    """Return every pair of the images in a folder and everything below it.

    Args:
        image_dir: The folder.

    Returns:
        The pairs; in each, and among them, names are in alphabetical order.

    Raises:
        ValueError: If there is no such folder, or it has fewer than two images.
    """
    names = list_photographs(image_dir)
    if len(names) < 2:
        raise ValueError(f"{image_dir} needs at least two images, found {len(names)}")
    return list(combinations(names, 2))


def pairs_of_folder(image_dir: Path, list_path: Path | None) -> list[NamePair]:
    """Return the pairs that a list names, or every pair of a folder without one.

    Args:
        image_dir: The folder.
        list_path: The list, or None.

    Returns:
        The pairs.

    Raises:
        ValueError: As for :func:`read_pairs` and :func:`all_pairs`.
    """
    if list_path is None:
        return all_pairs(image_dir)
    read_lines(list_path)  # whose errors come first
    return read_pairs(list_path, names=list_photographs(image_dir))


def read_lines(path: Path) -> list[tuple[int, str]]:
    """Return the lines of a list, without those that are empty or begin with ``#``.

    Args:
        path: The file: UTF-8, or UTF-16 with a byte order mark.

    Returns:
        For each the number in the file, from 1 on, and the text without white space around it.

    Raises:
        ValueError: If the file is missing or no text.
    """
    try:
        content = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise ValueError(f"there is no list of pairs {path}") from error
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} needs to be a text file") from error
    if "\0" in text:
        raise ValueError(f"{path} needs to be a text file")
    lines = re.split(r"\r\n|\r|\n", text)
    numbered = ((number, line.strip()) for number, line in enumerate(lines, start=1))
    return [(number, line) for number, line in numbered if line and not line.startswith("#")]


def _two_names(line: str, known: frozenset[str]) -> NamePair:
    """Return the two names in a line, which known names tell best, then tabs, then suffixes."""
    ways = _between_known_names(line, known)
    whole = [(first, second) for first, second, rest in ways if _SCORES.fullmatch(rest)]
    if len(ways) > 1 and len(whole) != 1:
        raise ValueError(f"{line!r} can be read in several ways: separate the names by a tab")
    if ways:
        return whole[0] if whole else ways[0][:2]
    words = [match[0] for match in _WORD.finditer(line)]
    if any("\t" in word for word in words[:2]):  # within quotes
        line = line.replace("\t", " ")
    fields = [field.strip() for field in line.split("\t") if field.strip()]
    if len(fields) >= 2:
        scored = None if _is_image(fields[1]) else _ONE_IMAGE_NAME.match(fields[1])
        return _unquoted(fields[0]), scored[0] if scored else _unquoted(fields[1])
    if len(words) < 2:
        raise ValueError(f"needs lines of two names, image 0 and image 1, found {line!r}")
    first, second = map(_unquoted, words[:2])
    if len(words) > 2 and not (_is_image(first) and _is_image(second)):
        suffixed = _TWO_IMAGE_NAMES.match(line)
        if suffixed and not line.startswith(('"', "'")):
            return suffixed[1], suffixed[2]
    return first, second


def _between_known_names(line: str, known: frozenset[str]) -> list[tuple[str, str, str]]:
    """Return every way to read a line as two known names and a rest."""
    words = list(re.finditer(r"\S+", line)) if known else []
    ways = []
    for end, last in enumerate(words[:-1]):
        if line[: last.end()] not in known:
            continue
        start = words[end + 1].start()
        for other in words[end + 1 :]:
            if line[start : other.end()] in known:
                ways.append((line[: last.end()], line[start : other.end()], line[other.end() :]))
    return ways


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _quoted(name: str) -> str:
    needs_quotes = [name] != name.split() or name.startswith(("#", '"', "'"))
    return '"' + name.replace('"', '""') + '"' if needs_quotes else name


def _unquoted(word: str) -> str:
    match = _WORD.fullmatch(word)
    if match is None or match[1] is None:
        return word
    return word[1:-1].replace(2 * word[0], word[0])
