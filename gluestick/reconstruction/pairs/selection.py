"""Which pairs of a folder are matched: all, neighbours, near ones, similar ones, or a list."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Literal, get_args

from gluestick.datasets.pair_lists import NamePair, read_lines, read_pairs
from gluestick.datasets.photographs import list_photographs
from gluestick.export.folder_images import Progress, no_progress
from gluestick.images.header import read_header
from gluestick.reconstruction.pairs.neighbours import Position, following_pairs, near_pairs
from gluestick.reconstruction.pairs.retrieval import (
    PhotographDescriptors,
    RetrievalConfig,
    similar_photographs,
)

PairMethod = Literal["auto", "exhaustive", "sequential", "gps", "retrieval"]
"""How pairs are chosen; ``auto`` is exhaustive in small folders and retrieval in larger ones."""

EXHAUSTIVE_UP_TO = 60
"""So many photographs have 1,770 pairs."""


@dataclass(frozen=True, kw_only=True)
class PairsConfig:
    """Options of the choice of pairs.

    Attributes:
        method: How pairs are chosen.
        overlap: With how many of the following photographs each is paired; of ``sequential``.
        loop_period: Every so many photographs one is also paired with similar ones that do not
            follow it, to close loops; 0 for none; of ``sequential``.
        num_similar: How many similar photographs each gets.
        num_near: With how many of the nearest each is paired; of ``gps``.
        max_distance: Up to which distance, metres; of ``gps``.
        retrieval: How photographs are compared.
    """

    method: PairMethod = "auto"
    overlap: int = 10
    loop_period: int = 10
    num_similar: int = 20
    num_near: int = 20
    max_distance: float = 100.0
    retrieval: RetrievalConfig = field(default_factory=RetrievalConfig)

    def __post_init__(self) -> None:
        if self.method not in get_args(PairMethod):
            raise ValueError(
                f"pairs need to be {', '.join(get_args(PairMethod))} or a file, found "
                f"{self.method!r}"
            )
        for name in ("overlap", "num_similar", "num_near"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} needs to be at least 1, found {getattr(self, name)}")
        if self.loop_period < 0 or not self.max_distance > 0:
            raise ValueError(
                "loop_period needs to be at least 0 and max_distance positive, found "
                f"{self.loop_period} and {self.max_distance}"
            )


def choose_pairs(
    image_dir: Path,
    descriptors_path: Path,
    *,
    config: PairsConfig | None = None,
    pairs_file: Path | None = None,
    progress: Progress = no_progress,
) -> list[NamePair]:
    """Choose which pairs of the photographs in a folder are matched.

    Args:
        image_dir: The folder; what is below it counts too. Photographs in alphabetical order
            follow each other.
        descriptors_path: The HDF5 file in which descriptors of photographs are kept, where any
            are needed.
        config: The options.
        pairs_file: A list of pairs, which comes before all options.
        progress: Shows how far it is.

    Returns:
        The pairs, each once. Photographs without a position are paired with similar ones by
        ``gps``.

    Raises:
        ValueError: If there are fewer than two photographs, no pair is found, or a file is
            missing or damaged.
    """
    config = config or PairsConfig()
    if pairs_file is not None:
        read_lines(pairs_file)  # whose errors come first
        return read_pairs(pairs_file, names=list_photographs(image_dir))
    names = list_photographs(image_dir)
    if len(names) < 2:
        raise ValueError(
            f"a reconstruction needs at least two photographs, and {image_dir} has {len(names)}"
        )
    method = config.method
    if method == "auto":
        method = "exhaustive" if len(names) <= EXHAUSTIVE_UP_TO else "retrieval"
    if method == "exhaustive":
        return list(combinations(names, 2))
    rows: Sequence[int]
    if method == "sequential":
        pairs = following_pairs(names, overlap=config.overlap)
        rows = range(0, len(names), config.loop_period) if config.loop_period else range(0)
        apart = config.overlap
    elif method == "gps":
        positions = _positions(image_dir, names, progress)
        pairs = near_pairs(
            positions, num_neighbours=config.num_near, max_distance=config.max_distance
        )
        rows, apart = [row for row, name in enumerate(names) if name not in positions], 0
    else:
        pairs, rows, apart = [], range(len(names)), 0
    if len(rows) and len(names) > apart + 1:
        pairs += _similar(descriptors_path, image_dir, names, rows, apart, config, progress)
    if not pairs:
        raise ValueError(
            f"no two photographs in {image_dir} were taken within {config.max_distance:g} m of "
            "each other: raise the distance, or choose pairs in another way"
        )
    return list(dict.fromkeys(pairs))


def _similar(
    descriptors_path: Path,
    image_dir: Path,
    names: Sequence[str],
    rows: Sequence[int],
    apart: int,
    config: PairsConfig,
    progress: Progress,
) -> list[NamePair]:
    with PhotographDescriptors(descriptors_path, image_dir, config=config.retrieval) as described:
        descriptors = described.describe(names, progress=progress)
    indices = similar_photographs(descriptors, count=config.num_similar, rows=rows, apart=apart)
    return [(names[first], names[second]) for first, second in indices]


def _positions(image_dir: Path, names: Sequence[str], progress: Progress) -> dict[str, Position]:
    headers = ((name, read_header(image_dir / name)) for name in progress(names, "Positions"))
    return {
        name: header.position
        for name, header in headers
        if header is not None and header.position is not None
    }
