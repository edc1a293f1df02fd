"""Batches of pairs with their features, and examples for the same-line head made from them."""

import pickle
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Sampler

from gluestick.features.lines.registry import LineDetectorConfig
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.line_heads.guidance import point_matches
from gluestick.pipeline import PointLineMatcher
from gluestick.training.examples.batches import Batch, make_batch
from gluestick.training.examples.pairs import DataConfig, TrainingPair, TrainingPairs
from gluestick.training.examples.rows import (
    LineRows,
    RowStore,
    describe_rows,
    join_rows,
    mirrored,
    thinned,
)
from gluestick.training.logs import Say

_ALL_LINES = LineDetectorConfig(max_num_lines=None, min_length=10.0)
_ENDLESS = 2**62


@dataclass(frozen=True, kw_only=True)
class ExtractionConfig:
    """How pairs are made and turned into examples.

    Attributes:
        batch_size: How many pairs make a batch.
        num_workers: How many processes make pairs; 0 makes them in the main one.
        num_pairs: How many pairs fill the cache.
        first_pair: From which one on.
        num_held_out: How many held-out pairs there are to validate on.
        thinning: How likely it is in [0, 1] that only a random share of the point matches of a
            pair guides the lines.
        mirroring: The share in [0, 1] of batches whose images 1 are also seen in a mirror.
        keep_negatives: The share of the easy negative examples that is kept.
        part: Which share of the batches this process makes, so that several can fill a cache.
        parts: How many processes do.
    """

    batch_size: int = 8
    num_workers: int = 0
    num_pairs: int = 2000
    first_pair: int = 0
    num_held_out: int = 64
    thinning: float = 0.2
    mirroring: float = 0.1
    keep_negatives: float = 0.5
    part: int = 0
    parts: int = 1

    def __post_init__(self) -> None:
        for name in ("thinning", "mirroring"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} needs to be in [0, 1], found {getattr(self, name)}")
        if not 0 < self.keep_negatives <= 1:
            raise ValueError(f"keep_negatives needs to be in (0, 1], found {self.keep_negatives}")
        if not 0 <= self.part < self.parts:
            raise ValueError(
                f"part needs to be at least 0 and below parts, found {self.part} of {self.parts}"
            )
        for name in ("batch_size", "num_pairs", "num_held_out"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} needs to be at least 1, found {getattr(self, name)}")


class Extraction:
    """Makes batches and examples with a matcher as it is.

    Args:
        matcher: Finds the features, and matches the points.
        data: The pairs.
        config: The options.
    """

    def __init__(
        self, matcher: PointLineMatcher, data: DataConfig, config: ExtractionConfig
    ) -> None:
        assert isinstance(matcher.network, LightGlueStick)
        assert matcher.extractor is not None
        self.network = matcher.network.requires_grad_(False).eval()
        self.extractor, self.wireframe = matcher.extractor.eval(), matcher.wireframe
        self.data, self.config = data, config

    def batches(
        self, numbers: Iterable[int], *, device: torch.device, held_out: bool = False
    ) -> Iterator[Batch]:
        """Yield batches on the device.

        Args:
            numbers: Which ones.
            device: Where they are made.
            held_out: Whether photographs that are never trained on are taken.
        """
        data, size = self.data, self.config.batch_size
        if held_out:
            data = replace(data, held_out=True, folder_weights={}, seed=data.seed + 1)
        self.extractor.to(device)
        loader = DataLoader(
            TrainingPairs(data, size=_ENDLESS, lines=_ALL_LINES),
            batch_size=size,
            sampler=_PairsOf(numbers, size),
            num_workers=self.config.num_workers,
            collate_fn=_packed,
            worker_init_fn=_one_thread,
            prefetch_factor=2 if self.config.num_workers else None,
        )
        for packed in loader:
            yield make_batch(pickle.loads(packed), self.extractor, self.wireframe, device=device)

    @torch.no_grad()
    def rows(self, batch: Batch, *, number: int, held_out: bool = False) -> LineRows:
        """Return the examples of a batch, on the CPU.

        Args:
            batch: The batch.
            number: Its number, which decides what is random.
            held_out: Whether it is to be validated on, so that nothing is changed or left out.
        """
        config = self.config
        self.network.to(batch.wireframe0.keypoints.device)
        nodes = self.network.assign_nodes(batch.wireframe0, batch.wireframe1)
        matches = point_matches(batch.wireframe0, batch.wireframe1, nodes.log_assignment)
        if held_out:
            return join_rows(
                [describe_rows(batch, nodes, matches=matches, keep_negatives=1.0)], device="cpu"
            )
        with torch.random.fork_rng():
            torch.manual_seed(number)
            kinds = [(batch, thinned(matches, probability=config.thinning))]
            if torch.rand(()) < config.mirroring:
                kinds.append(mirrored(batch, matches))
            parts = [
                describe_rows(seen, nodes, matches=own, keep_negatives=config.keep_negatives)
                for seen, own in kinds
            ]
            size = len(batch.partners)
            parts = [
                part._replace(image=part.image + kind * size) for kind, part in enumerate(parts)
            ]
        return join_rows(parts, device="cpu")

    def fill(self, store: RowStore, *, device: torch.device, held_out: bool, say: Say) -> None:
        """Add the examples that a store lacks."""
        config = self.config
        pairs = config.num_held_out if held_out else config.num_pairs
        total = -(-pairs // config.batch_size)
        first = 0 if held_out else config.first_pair // config.batch_size
        numbers = range(first + config.part, first + total, config.parts)
        missing = [number for number in numbers if number not in store]
        kind, size = "held-out" if held_out else "training", config.batch_size
        batches = self.batches(missing, device=device, held_out=held_out)
        for done, (number, batch) in enumerate(zip(missing, batches, strict=True), start=1):
            store.add(number, self.rows(batch, number=number, held_out=held_out))
            if done % 10 == 0 or done == len(missing):
                say(f"{kind} pairs: {done * size} of {len(missing) * size}")


def open_stores(folder: Path, origin: dict[str, Any]) -> tuple[RowStore, RowStore]:
    """Return the stores of examples to train on and to validate on in a folder."""
    return (
        RowStore(folder / "training", origin),
        RowStore(folder / "held_out", origin),
    )


class _PairsOf(Sampler[int]):
    """The indices of the pairs of some batches."""

    def __init__(self, numbers: Iterable[int], size: int) -> None:
        self.numbers, self.size = numbers, size

    def __iter__(self) -> Iterator[int]:
        for number in self.numbers:
            yield from range(number * self.size, (number + 1) * self.size)


def _packed(pairs: list[TrainingPair]) -> bytes:
    """Pack pairs into bytes: tensors would take a file descriptor each on their way."""
    return pickle.dumps(pairs)


def _one_thread(worker: int) -> None:
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
