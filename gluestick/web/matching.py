"""All pairs of some photographs are matched, one after the other, into a folder."""

import threading
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gluestick.catalog import load_matcher
from gluestick.config import MatchConfig
from gluestick.matching.protocols import Matcher
from gluestick.pair_run.cameras import exif_camera
from gluestick.pair_run.run import PairFiles, match_into_files
from gluestick.web.choices import Choices
from gluestick.web.limits import Limits
from gluestick.web.photographs import Photograph

ARCHIVE = "gluestick.zip"
"""The name of the file with the results of all pairs."""


@dataclass(frozen=True, kw_only=True)
class MatchedPair:
    """Two photographs and what came of them.

    Attributes:
        names: What they are called.
        folder: Where the files of the pair are.
        record: What is in run.json; None where matching failed.
        fault: Why it failed, a line; or "".
    """

    names: tuple[str, str]
    folder: Path
    record: dict[str, Any] | None
    fault: str = ""

    def file(self, name: str) -> Path | None:
        """Return a file of the pair, or None where it was not written."""
        path = self.folder / name
        return path if path.is_file() else None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of all pairs.

    Attributes:
        pairs: The pairs, in the order of the photographs.
        left_out: How many pairs were not begun, for the time was over.
        archive: A file with the results of all pairs.
    """

    pairs: list[MatchedPair]
    left_out: int
    archive: Path


class MatchingService:
    """Matches photographs, one request at a time, and keeps the last model loaded.

    Args:
        device: Where models run.
        threads: How many threads compute, for the record.
        limits: How much may be asked for.
    """

    def __init__(self, *, device: torch.device, threads: int, limits: Limits) -> None:
        self._device = device
        self._threads = threads
        self._limits = limits
        self._loaded: tuple[MatchConfig, Matcher] | None = None
        self._lock = threading.Lock()

    def match_all(
        self,
        photographs: Sequence[Photograph],
        choices: Choices,
        folder: Path,
        *,
        on_pair: Callable[[int, int], None] = lambda done, total: None,
    ) -> Outcome:
        """Match every photograph with every other.

        Args:
            photographs: At least two.
            choices: How.
            folder: Where the files of the pairs go, into folders named 1-2, 1-3 and so on.
            on_pair: Told before each pair how many are done, and of how many.

        Returns:
            All pairs. A photograph that cannot be read spoils its own pairs only.

        Raises:
            ValueError: If there are fewer than two or too many photographs, or a choice is none.
        """
        most = self._limits.max_photographs
        if not 2 <= len(photographs) <= most:
            raise ValueError(f"drop two to {most} photographs, found {len(photographs)}")
        settings = choices.settings()
        pairs = [*combinations(range(len(photographs)), 2)]
        matched: list[MatchedPair] = []
        with self._lock:
            stop = time.monotonic() + self._limits.max_seconds
            matcher = self._matcher(settings)
            pixels = _Pixels(photographs, self._limits)
            for number, (first, second) in enumerate(pairs):
                if matched and time.monotonic() > stop:
                    break
                on_pair(number, len(pairs))
                matched.append(
                    self._match(
                        matcher,
                        settings,
                        (photographs[first], photographs[second]),
                        partial(pixels.of_pair, first, second),
                        folder / f"{first + 1}-{second + 1}",
                    )
                )
        archive = _write_archive(folder, matched)
        return Outcome(pairs=matched, left_out=len(pairs) - len(matched), archive=archive)

    def _matcher(self, settings: MatchConfig) -> Matcher:
        if self._loaded is None or self._loaded[0] != settings:
            self._loaded = None  # never two models at a time
            matcher = load_matcher(settings.model, config=settings.pipeline).to(self._device)
            self._loaded = settings, matcher
        return self._loaded[1]

    def _match(
        self,
        matcher: Matcher,
        settings: MatchConfig,
        pair: tuple[Photograph, Photograph],
        load: Callable[[], tuple[Tensor, Tensor]],
        folder: Path,
    ) -> MatchedPair:
        names = pair[0].name, pair[1].name
        try:
            images = load()
            cameras = [exif_camera(photograph.path) for photograph in pair]
            report = match_into_files(
                matcher,
                images,
                PairFiles(
                    images=(Path(names[0]), Path(names[1])),
                    output=folder,
                    named_output=Path(),
                    overlay=True,
                    viewer=True,
                ),
                settings=settings,
                cameras=cameras if None not in cameras else (None, None),
                threads=self._threads,
            )
        except ValueError as error:
            fault = " ".join(str(error).split())
            return MatchedPair(names=names, folder=folder, record=None, fault=fault)
        return MatchedPair(names=names, folder=folder, record=report.record)


class _Pixels:
    """The pixels of the photographs, of which the last two are kept."""

    def __init__(self, photographs: Sequence[Photograph], limits: Limits) -> None:
        self._photographs = photographs
        self._limits = limits
        self._kept: dict[int, Tensor] = {}

    def of_pair(self, first: int, second: int) -> tuple[Tensor, Tensor]:
        """Return the pixels [3, H, W] of two photographs."""
        return self._of(first), self._of(second)

    def _of(self, index: int) -> Tensor:
        if index in self._kept:
            self._kept[index] = self._kept.pop(index)  # the last used is the last
            return self._kept[index]
        while len(self._kept) > 1:
            del self._kept[next(iter(self._kept))]
        self._kept[index] = self._photographs[index].load(self._limits)
        return self._kept[index]


def _write_archive(folder: Path, pairs: Sequence[MatchedPair]) -> Path:
    """Put the files of all pairs into one, without compressing pictures once more."""
    archive = folder / ARCHIVE
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        for pair in pairs:
            for path in sorted(pair.folder.glob("*")):
                file.write(path, f"{pair.folder.name}/{path.name}")
    return archive
