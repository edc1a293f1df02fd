"""Which images and pairs of a folder can be exported, and which are left out and why."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np

from gluestick.storage.fingerprints import file_fingerprint

NamePair = tuple[str, str]
"""The names of image 0 and of image 1."""

Item = TypeVar("Item")

Progress = Callable[[Sequence[Any], str], Iterable[Any]]
"""Passes items on, one after the other, and shows how far it is under a title."""


def no_progress(items: Sequence[Item], title: str) -> Iterable[Item]:
    """Pass the items on and show nothing."""
    return items


@dataclass(kw_only=True)
class Skipped:
    """What is left out.

    Attributes:
        strict: Whether leaving something out is an error.
        images: Why, by the names of images.
        pairs: Why, by pairs of names, for pairs of images that exist.
    """

    strict: bool = False
    images: dict[str, str] = field(default_factory=dict)
    pairs: dict[NamePair, str] = field(default_factory=dict)

    def skip_image(self, name: str, reason: object) -> None:
        """Leave an image out, and the pairs that it is in.

        Raises:
            ValueError: The reason, if strict.
        """
        if self.strict:
            raise ValueError(str(reason))
        self.images.setdefault(name, str(reason))

    def skip_pair(self, pair: NamePair, reason: str) -> None:
        """Leave a pair out.

        Raises:
            ValueError: The reason, if strict.
        """
        if self.strict:
            raise ValueError(reason)
        self.pairs.setdefault(pair, reason)

    def left(self, pairs: Sequence[NamePair]) -> list[NamePair]:
        """Return the pairs of which neither image is left out.

        Raises:
            ValueError: If there is none.
        """
        left = [pair for pair in pairs if not self.images.keys() & set(pair)]
        if not left:
            reasons = [*self.images.values(), *self.pairs.values()] or ["the list is empty"]
            more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
            raise ValueError(f"no pair is left to match: {reasons[0]}{more}")
        return left


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be exported.

    Attributes:
        images: The fingerprints of the files, by the names of the images, in the order in which
            pairs name them.
        pairs: Pairs of these, each once, whichever way round.
        num_pairs: How many pairs of two images were asked for.
    """

    images: Mapping[str, str]
    pairs: Sequence[NamePair]
    num_pairs: int


def checked_pairs(
    image_dir: Path,
    pairs: Sequence[NamePair],
    skipped: Skipped,
    *,
    mask_dir: Path | None = None,
    progress: Progress = no_progress,
) -> Wanted:
    """Return what can be exported of some pairs.

    Args:
        image_dir: The folder of images.
        pairs: Pairs of names, relative to the folder.
        skipped: Where missing images and pairs of an image with itself are written down.
        mask_dir: The folder of masks, or None; see :func:`mask_path`.
        progress: Shows how far it is.

    Returns:
        The images that exist, and their pairs.

    Raises:
        ValueError: If there is no such folder, also of masks, no pair is left, two images have
            the same name in a match file, or, if strict, something is left out.
    """
    if not image_dir.is_dir():
        raise ValueError(f"there is no folder {image_dir}: name one with photographs")
    if mask_dir is not None and not mask_dir.is_dir():
        raise ValueError(f"there is no folder {mask_dir} of masks")
    once: dict[frozenset[str], NamePair] = {}
    for pair in pairs:
        name0, name1 = map(_plain, pair)
        if name0 == name1:
            skipped.skip_pair((name0, name1), f"{name0} is paired with itself")
        else:
            once.setdefault(frozenset((name0, name1)), (name0, name1))
    names = list(dict.fromkeys(name for pair in once.values() for name in pair))
    images = {}
    for name in progress(names, "Images"):
        try:
            images[name] = _fingerprint(image_dir, name, mask_path(mask_dir, name))
        except (ValueError, OSError) as error:
            skipped.skip_image(name, error)
    _check_match_names(images)
    left = skipped.left(list(once.values()))
    return Wanted(images=images, pairs=left, num_pairs=len(once))


def _plain(name: str) -> str:
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def mask_path(mask_dir: Path | None, name: str) -> Path | None:
    """Return the file of an image's mask, ``NAME.png`` as for COLMAP, or None without one."""
    path = None if mask_dir is None else mask_dir / f"{name}.png"
    return path if path is not None and path.is_file() else None


def _fingerprint(image_dir: Path, name: str, mask: Path | None) -> str:
    path = image_dir / name
    if not name or ".." in PurePosixPath(name).parts or not path.is_file():
        raise ValueError(f"there is no image {name} in {image_dir}")
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"the name {name!r} cannot be written as UTF-8: rename it") from error
    own = file_fingerprint(path)
    return own if mask is None else f"{own}, mask {file_fingerprint(mask)}"


def _check_match_names(names: Iterable[str]) -> None:
    own: dict[str, str] = {}
    for name in names:
        other = own.setdefault(name.replace("/", "-"), name)
        if other != name:
            raise ValueError(
                f"the images {other} and {name} have the same name in a match file, where / "
                "becomes -: rename one of them"
            )


def neighbours_together(pairs: Sequence[NamePair]) -> list[NamePair]:
    """Order pairs so that those of an image follow each other, and each is read about once.

    Images are ordered so that those that are matched lie close together (the reverse order of
    Cuthill and McKee 1969), and pairs by the places of both. The same pairs give the same order.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    if not pairs:
        return []
    names = sorted({name for pair in pairs for name in pair})
    number = {name: index for index, name in enumerate(names)}
    rows, columns = np.array([[number[name] for name in pair] for pair in pairs]).T
    graph = coo_array((np.ones(len(pairs)), (rows, columns)), shape=(len(names), len(names)))
    order = reverse_cuthill_mckee((graph + graph.T).tocsr(), symmetric_mode=True)
    place = {names[index]: position for position, index in enumerate(order)}

    def places(pair: NamePair) -> tuple[int, int]:
        first, second = (place[name] for name in pair)
        return max(first, second), min(first, second)

    return sorted(pairs, key=places)
