"""Lists of image pairs: text files with two names in a line, as hloc's tools read and write them.

Names are paths relative to a folder of images, with ``/`` and without spaces. Empty lines and
those that begin with ``#`` are left out.
"""

from collections.abc import Iterable
from itertools import combinations
from pathlib import Path

from gluestick.datasets.photographs import list_photographs
from gluestick.storage.atomic import atomic_path

NamePair = tuple[str, str]
"""The names of image 0 and of image 1."""


def read_pairs(path: Path) -> list[NamePair]:
    """Read a list of pairs.

    Args:
        path: The file. What follows two names in a line, such as a score, is left out.

    Returns:
        The pairs in the order of the file, each once.

    Raises:
        ValueError: If the file is missing, no text or empty, or a line has fewer than two names;
            the message names the line.
    """
    pairs = []
    for number, line in read_lines(path):
        names = line.split()
        if len(names) < 2:
            raise ValueError(
                f"{path}, line {number}: needs lines of two names, image 0 and image 1, found "
                f"{line!r}"
            )
        pairs.append((names[0], names[1]))
    if not pairs:
        raise ValueError(f"{path} needs lines of two image names, found none")
    return list(dict.fromkeys(pairs))


def write_pairs(path: Path, pairs: Iterable[NamePair]) -> None:
    """Write a list of pairs.

    Args:
        path: The file.
        pairs: The pairs.

    Raises:
        ValueError: If a name would not be read back: it is empty, has white space or begins
            with ``#``.
        OSError: If the file cannot be written; an earlier file is left as it was.
    """
    lines = []
    for pair in pairs:
        for name in pair:
            if [name] != name.split() or name.startswith("#"):
                raise ValueError(
                    f"a list of pairs needs names without white space that do not begin with #, "
                    f"found {name!r}: rename the file"
                )
        lines.append(" ".join(pair) + "\n")
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


def read_lines(path: Path) -> list[tuple[int, str]]:
    """Return the lines of a list, without those that are empty or begin with ``#``.

    Args:
        path: The file.

    Returns:
        For each the number in the file, from 1 on, and the text without white space around it.

    Raises:
        ValueError: If the file is missing or no text.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise ValueError(f"there is no list of pairs {path}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} needs to be a text file") from error
    numbered = ((number, line.strip()) for number, line in enumerate(lines, start=1))
    return [(number, line) for number, line in numbered if line and not line.startswith("#")]
