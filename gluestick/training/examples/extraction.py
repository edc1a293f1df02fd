"""Batches of pairs with their features, and examples for the same-line head made from them."""

import pickle
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from gluestick.features.lines.registry import LineDetectorConfig
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.line_heads.guidance import point_matches
from gluestick.pipeline import PointLineMatcher
from gluestick.training.examples.batches import Batch, make_batch
from gluestick.training.examples.cached_batches import CachedBatches
from gluestick.training.examples.extraction_config import (
    LEAST_LENGTH,
    ExtractionConfig,
    check_budgets,
)
from gluestick.training.examples.feature_store import FeatureStore, entry_name
from gluestick.training.examples.pair_features import describe_pair
from gluestick.training.examples.pairs import DataConfig, TrainingPair, TrainingPairs
from gluestick.training.examples.rows import (
    LineRows,
    RowStore,
    describe_rows,
    join_rows,
    mirrored,
    thinned,
)
from gluestick.training.runs.logs import Say

_ALL_LINES = LineDetectorConfig(max_num_lines=None, min_length=LEAST_LENGTH)
_ENDLESS = 2**62


class FeatureStores(NamedTuple):
    """Pairs with their features on disk.

    Attributes:
        training: Those to train on.
        held_out: Those to validate on.
    """

    training: FeatureStore
    held_out: FeatureStore


class Extraction:
    """Makes batches and examples with a matcher as it is.

    Args:
        matcher: Finds the features, and matches the points.
        data: The pairs.
        config: The options.
        stores: Where features are kept, if they are.

    Raises:
        ValueError: If a budget is larger than what is kept.
    """

    def __init__(
        self,
        matcher: PointLineMatcher,
        data: DataConfig,
        config: ExtractionConfig,
        *,
        stores: FeatureStores | None = None,
    ) -> None:
        assert isinstance(matcher.network, LightGlueStick)
        assert matcher.extractor is not None
        self.network = matcher.network.requires_grad_(False).eval()
        self.network.config = self.network.config.with_all_layers
        self.extractor, self.wireframe = matcher.extractor.eval(), matcher.wireframe
        self.data, self.config, self.stores = data, config, stores
        if stores is not None:
            check_budgets(data, config)

    def batches(
        self,
        numbers: Iterable[int],
        *,
        device: torch.device,
        held_out: bool = False,
        apart: bool = True,
    ) -> Iterator[Batch]:
        """Yield batches on the device.

        Args:
            numbers: Which ones.
            device: Where they are made.
            held_out: Whether photographs that are never trained on are taken.
            apart: Whether the truth matches junctions and keypoints apart.
        """
        if self.stores is not None:
            yield from self._cached(numbers, device=device, held_out=held_out, apart=apart)
            return
        size = self.config.batch_size
        for pairs in self._pairs(self._data(held_out), numbers, size=size):
            yield make_batch(
                pairs, self.extractor.to(device), self.wireframe, device=device, apart=apart
            )

    def fill_features(self, *, device: torch.device, held_out: bool, say: Say) -> None:
        """Add the pairs that a store lacks, those of this process's share."""
        assert self.stores is not None
        config = self.config
        store = self.stores.held_out if held_out else self.stores.training
        first = 0 if held_out else config.first_pair
        number = config.num_held_out if held_out else config.num_pairs
        known = set(store.numbers())
        missing = [
            index
            for index in range(first + config.part, first + number, config.parts)
            if index not in known
        ]
        if not missing:
            return
        data = replace(
            self._data(held_out),
            num_keypoints=(config.max_num_keypoints,),
            num_lines=(config.max_num_lines,),
            least_lengths=(LEAST_LENGTH,),
        )
        extractor = self.extractor.to(device)
        kind = "held-out" if held_out else "training"
        with store.writing() as file:
            found = zip(missing, self._pairs(data, missing, size=1), strict=True)
            for done, (index, (pair,)) in enumerate(found, start=1):
                features = describe_pair(pair, extractor, device=device)
                file.append(entry_name(features.kind, index), features.arrays())
                if done % 20 == 0 or done == len(missing):
                    say(f"features of {kind} pairs: {done} of {len(missing)}")

    def _cached(
        self, numbers: Iterable[int], *, device: torch.device, held_out: bool, apart: bool
    ) -> Iterator[Batch]:
        assert self.stores is not None
        config = self.config
        store = self.stores.held_out if held_out else self.stores.training
        kind = None if config.kind == "all" or held_out else config.kind
        first = 0 if held_out else config.first_pair
        last = first + (config.num_held_out if held_out else config.num_pairs)
        chosen = [number for number in store.numbers(kind) if first <= number < last]
        if not chosen:
            raise ValueError(f"the cache {store.folder} has none of the pairs: extract them first")
        batches = CachedBatches(
            store=store,
            pairs=chosen,
            data=self._data(held_out),
            batch_size=config.batch_size,
            wireframe=self.wireframe,
            apart=apart,
            in_order=held_out,
        )
        for packed in self._loader(batches, numbers, batch_size=None):
            yield pickle.loads(packed).to(device)

    def _data(self, held_out: bool) -> DataConfig:
        if not held_out:
            return self.data
        return replace(self.data, held_out=True, folder_weights={}, seed=self.data.seed + 1)

    def _pairs(
        self, data: DataConfig, numbers: Iterable[int], *, size: int
    ) -> Iterator[list[TrainingPair]]:
        """Yield the pairs of some batches."""
        pairs = TrainingPairs(data, size=_ENDLESS, lines=_ALL_LINES)
        for packed in self._loader(pairs, _pair_numbers(numbers, size), batch_size=size):
            yield pickle.loads(packed)

    def _loader(
        self, data: Dataset, numbers: Iterable[int], *, batch_size: int | None
    ) -> DataLoader:
        workers = self.config.num_workers
        return DataLoader(
            data,
            batch_size=batch_size,
            sampler=_Numbers(numbers),
            num_workers=workers,
            collate_fn=pickle.dumps,  # tensors would take a file descriptor each on their way
            worker_init_fn=_one_thread,
            prefetch_factor=2 if workers else None,
        )

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


class _Numbers(Sampler[int]):
    """Numbers, one after the other, possibly without end."""

    def __init__(self, numbers: Iterable[int]) -> None:
        self.numbers = numbers

    def __iter__(self) -> Iterator[int]:
        return iter(self.numbers)


def _pair_numbers(batches: Iterable[int], size: int) -> Iterator[int]:
    """Yield the numbers of the pairs of some batches."""
    for number in batches:
        yield from range(number * size, (number + 1) * size)


def _one_thread(worker: int) -> None:
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
