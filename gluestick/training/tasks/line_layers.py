"""Training of line layers and the same-line head of LightGlueStick, with points as they are."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatch

import cv2
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Sampler

from gluestick.features.lines.registry import LineDetectorConfig
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.line_heads.guidance import point_matches
from gluestick.matching.line_heads.same_line import SameLineHead, ScoredPairs
from gluestick.pipeline import PointLineMatcher
from gluestick.supervision.same_line_loss import same_line_loss
from gluestick.training.batches import Batch, make_batch
from gluestick.training.calibration import average_precision, calibration_error
from gluestick.training.pairs import DataConfig, TrainingPair, TrainingPairs
from gluestick.training.rows import RowStore, describe_rows, join_rows, mirrored, thinned
from gluestick.types import Wireframe


@dataclass(frozen=True, kw_only=True)
class LineLayersTaskConfig:
    """What is trained on which pairs.

    Attributes:
        batch_size: How many pairs make a batch.
        num_workers: How many processes make pairs; 0 makes them in the main one.
        line_layers: The layers that pass messages along the lines; None for all.
        trained: Patterns of the names of the parameters that are trained; all others stay.
        overlap_weight: See :func:`gluestick.supervision.same_line_loss.same_line_loss`.
        thinning: How likely it is in [0, 1] that only a random share of the point matches of a
            pair guides the lines.
        mirroring: The share in [0, 1] of batches whose images 1 are also seen in a mirror.
        keep_negatives: The share of easy negative examples that is written to the cache.
        validation_pairs: How many held-out pairs there are.
    """

    batch_size: int = 16
    num_workers: int = 0
    line_layers: tuple[int, ...] | None = None
    trained: tuple[str, ...] = (
        "line_head.*",
        "transformers.*.line_layer.*",
        "log_assignment.8.final_proj_line.*",
    )
    overlap_weight: float = 0.5
    thinning: float = 0.2
    mirroring: float = 0.1
    keep_negatives: float = 0.25
    validation_pairs: int = 32

    def __post_init__(self) -> None:
        for name in ("thinning", "mirroring", "keep_negatives"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} needs to be in [0, 1], found {getattr(self, name)}")
        if self.batch_size < 1 or self.validation_pairs < 1:
            raise ValueError(
                "batch_size and validation_pairs need to be at least 1, found "
                f"{self.batch_size} and {self.validation_pairs}"
            )


class ScoringNetwork(nn.Module):
    """A network and its same-line head, as it is trained.

    Args:
        network: The network.
    """

    def __init__(self, network: LightGlueStick) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, wireframe0: Wireframe, wireframe1: Wireframe, *, thinning: float = 0.0
    ) -> ScoredPairs:
        """Score the pairs of lines of a batch."""
        nodes = self.network.assign_nodes(wireframe0, wireframe1)
        matches = point_matches(wireframe0, wireframe1, nodes.log_assignment)
        if thinning > 0:
            matches = thinned(matches, probability=thinning)
        head: SameLineHead = self.network.line_head  # type: ignore[assignment]
        return head.score_pairs(wireframe0, wireframe1, nodes.endpoint_similarity, matches)


class LineLayersTask:
    """Trains parts of a network while features are found on the fly.

    Args:
        matcher: Finds the features, and has the network to start from.
        data: The pairs to train on.
        config: The options.
        cache: Where examples for the same-line head of the network as it is at the start are
            kept, or None.
    """

    def __init__(
        self,
        matcher: PointLineMatcher,
        data: DataConfig,
        config: LineLayersTaskConfig,
        *,
        cache: RowStore | None = None,
    ) -> None:
        assert isinstance(matcher.network, LightGlueStick)
        self.config, self.data, self.cache = config, data, cache
        self.extractor, self.wireframe = matcher.extractor, matcher.wireframe
        base = matcher.network.requires_grad_(False)
        network = with_same_line_head(base, line_layers=config.line_layers)
        network.requires_grad_(False)
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(any(fnmatch(name, pattern) for pattern in config.trained))
        self.base = base
        self.module = ScoringNetwork(network)
        self.pairs_per_step = config.batch_size
        self._held_out: list[Batch] = []

    def batches(self, first: int, *, device: torch.device) -> Iterator[Batch]:
        """Yield batches on the device, from a number on."""
        self.base.to(device)
        yield from self._batches(self.data, first, device)

    def loss(self, module: nn.Module, batch: Batch, *, number: int) -> Mapping[str, Tensor]:
        """Return the loss of a batch, and keep its examples."""
        if self.cache is not None and number not in self.cache:
            self._keep(batch, number)
        scored: ScoredPairs = module(
            batch.wireframe0, batch.wireframe1, thinning=self.config.thinning
        )
        same, overlap, known = (scored.pairs.take(value) for value in batch.lines)
        weight = known.float()
        loss = same_line_loss(
            scored.logits,
            scored.overlap_logits,
            same,
            overlap,
            weight,
            overlap_weight=self.config.overlap_weight,
        )
        return {"loss": loss}

    @torch.no_grad()
    def _keep(self, batch: Batch, number: int) -> None:
        assert self.cache is not None
        config = self.config
        nodes = self.base.assign_nodes(batch.wireframe0, batch.wireframe1)
        matches = point_matches(batch.wireframe0, batch.wireframe1, nodes.log_assignment)
        kinds = [(batch, thinned(matches, probability=config.thinning))]
        if torch.rand(()) < config.mirroring:
            kinds.append(mirrored(batch, matches))
        rows = [
            describe_rows(seen, nodes, matches=own, keep_negatives=config.keep_negatives)
            for seen, own in kinds
        ]
        self.cache.add(number, join_rows(rows, device="cpu"))

    @torch.no_grad()
    def validate(self, module: nn.Module, *, device: torch.device) -> Mapping[str, float]:
        """Return how well the lines of held-out pairs are told apart."""
        values: list[list[Tensor]] = [[], [], []]
        for batch in self._validation(device):
            scored: ScoredPairs = module(batch.wireframe0, batch.wireframe1)
            same, _, known = (scored.pairs.take(value) for value in batch.lines)
            for kept, value in zip(values, (scored.logits.sigmoid(), same, known), strict=True):
                kept.append(value.float().cpu())
        probabilities, same, weight = (torch.cat(parts) for parts in values)
        return {
            "score": average_precision(probabilities, same, weight),
            "calibration_error": calibration_error(probabilities, same, weight),
        }

    def weights(self, module: nn.Module) -> Mapping[str, Tensor]:
        """Return the parameters that are trained."""
        return {
            name: parameter
            for name, parameter in self.module.network.named_parameters()
            if parameter.requires_grad
        }

    def _validation(self, device: torch.device) -> list[Batch]:
        if not self._held_out:
            data = replace(self.data, held_out=True, folder_weights={}, seed=self.data.seed + 1)
            number = -(-self.config.validation_pairs // self.config.batch_size)
            batches = self._batches(data, 0, device, number=number)
            self._held_out = list(batches)
        return self._held_out

    def _batches(
        self, data: DataConfig, first: int, device: torch.device, *, number: int | None = None
    ) -> Iterator[Batch]:
        assert self.extractor is not None
        self.extractor.to(device)
        size = self.config.batch_size
        pairs = TrainingPairs(
            data, size=2**62, lines=LineDetectorConfig(max_num_lines=None, min_length=10.0)
        )
        loader = DataLoader(
            pairs,
            batch_size=size,
            sampler=_From(first * size, None if number is None else number * size),
            num_workers=self.config.num_workers,
            collate_fn=_as_list,
            worker_init_fn=_one_thread,
            prefetch_factor=2 if self.config.num_workers else None,
        )
        for found in loader:
            yield make_batch(found, self.extractor, self.wireframe, device=device)


def with_same_line_head(
    network: LightGlueStick, *, line_layers: tuple[int, ...] | None
) -> LightGlueStick:
    """Return a network with more line layers and a same-line head, and the same node matches.

    Args:
        network: The network; it is not changed.
        line_layers: The layers that pass messages along the lines, which start as the identity
            where there was none; None for all.
    """
    config = replace(network.config, line_layers=line_layers, line_head="same_line")
    extended = LightGlueStick(config)
    keeps_head = network.config.line_head == config.line_head
    known = {
        name: value
        for name, value in network.state_dict().items()
        if keeps_head or not name.startswith("line_head.")
    }
    extended.load_state_dict(extended.state_dict() | known)
    return extended.eval()


class _From(Sampler[int]):
    """All indices from one on, as many as asked for, or without end."""

    def __init__(self, first: int, number: int | None) -> None:
        self.first, self.number = first, number

    def __iter__(self) -> Iterator[int]:
        index = self.first
        while self.number is None or index < self.first + self.number:
            yield index
            index += 1


def _as_list(pairs: list[TrainingPair]) -> list[TrainingPair]:
    return pairs


def _one_thread(worker: int) -> None:
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
