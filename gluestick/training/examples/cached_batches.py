"""Batches from pairs on disk, at many budgets of keypoints and lines."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from torch.utils.data import Dataset

from gluestick.training.examples.batches import Batch, join_batches
from gluestick.training.examples.feature_store import FeatureStore
from gluestick.training.examples.pair_features import Budget
from gluestick.training.examples.pairs import DataConfig
from gluestick.wireframe.build import WireframeConfig

_FEW = 32


@dataclass(frozen=True, kw_only=True)
class CachedBatches(Dataset):
    """Batches by their numbers, without end.

    A batch depends on the pairs, the options and its number alone. All pairs of a batch get one
    budget, and all pairs are seen once before one is seen again.

    Attributes:
        store: Where the pairs are.
        pairs: The numbers of those that are taken.
        data: Its budgets and its seed count.
        batch_size: How many pairs make a batch.
        wireframe: How keypoints and lines are connected; it keeps every keypoint.
        apart: Whether junctions match junctions only, and keypoints keypoints.
        in_order: Whether the pairs come in the order of their numbers.
    """

    store: FeatureStore
    pairs: Sequence[int]
    data: DataConfig
    batch_size: int
    wireframe: WireframeConfig
    apart: bool = True
    in_order: bool = False
    _kept: dict[tuple[int, Budget], Batch] = field(default_factory=dict, repr=False, compare=False)

    def __getitem__(self, number: int) -> Batch:
        """Read a batch.

        Raises:
            ValueError: If a pair cannot be read.
        """
        data = self.data
        rng = np.random.default_rng([data.seed, number])
        budget = Budget(
            num_keypoints=int(rng.choice(data.num_keypoints)),
            num_lines=int(rng.choice(data.num_lines)),
            least_length=float(rng.choice(data.least_lengths)),
        )
        first = number * self.batch_size
        places = range(first, first + self.batch_size)
        if self.in_order:
            places = range(first, min(first + self.batch_size, len(self.pairs)))
        return join_batches([self._cut(self._pair(place), budget) for place in places])

    def _cut(self, number: int, budget: Budget) -> Batch:
        """Return a batch of one pair, which is kept where there are few."""
        if (number, budget) in self._kept:
            return self._kept[number, budget]
        batch = self.store.read(number).cut(budget, self.wireframe, apart=self.apart)
        if len(self.pairs) <= _FEW:
            self._kept[number, budget] = batch
        return batch

    def _pair(self, place: int) -> int:
        if self.in_order:
            return self.pairs[place]
        epoch, index = divmod(place, len(self.pairs))
        order = np.random.default_rng([self.data.seed, epoch, 1]).permutation(len(self.pairs))
        return self.pairs[order[index]]
