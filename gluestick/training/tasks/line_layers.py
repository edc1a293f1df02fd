"""Training of line layers and the same-line head of LightGlueStick, with points as they are."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatch
from itertools import count

import torch
from torch import Tensor, nn

from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.line_heads.guidance import point_matches
from gluestick.matching.line_heads.same_line import SameLineHead, ScoredPairs
from gluestick.supervision.same_line_loss import same_line_loss
from gluestick.training.calibration import average_precision, calibration_error
from gluestick.training.examples.batches import Batch
from gluestick.training.examples.extraction import Extraction
from gluestick.training.examples.rows import RowStore, pair_truth, thinned
from gluestick.training.losses import LossConfig
from gluestick.types import Wireframe


@dataclass(frozen=True, kw_only=True)
class LineLayersTaskConfig:
    """What is trained.

    Attributes:
        line_layers: The layers that pass messages along the lines; None for all.
        trained: Patterns of the names of the parameters that are trained; all others stay.
        loss: The weights of the parts of the loss.
    """

    line_layers: tuple[int, ...] | None = None
    trained: tuple[str, ...] = (
        "line_head.*",
        "transformers.*.line_layer.*",
        "log_assignment.8.final_proj_line.*",
    )
    loss: LossConfig = field(default_factory=LossConfig)


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
        extraction: Makes the batches, and has the network to start from.
        config: The options.
        cache: Where examples for the same-line head of the network as it was at the start are
            kept, or None.
    """

    def __init__(
        self,
        extraction: Extraction,
        config: LineLayersTaskConfig,
        *,
        cache: RowStore | None = None,
    ) -> None:
        self.extraction, self.config, self.cache = extraction, config, cache
        network = with_same_line_head(extraction.network, line_layers=config.line_layers)
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(any(fnmatch(name, pattern) for pattern in config.trained))
        self.network = network
        self.module: nn.Module = ScoringNetwork(network)
        self.pairs_per_step = extraction.config.batch_size
        self._held_out: list[Batch] = []

    def batches(self, first: int, *, device: torch.device, step: int = 1) -> Iterator[Batch]:
        """Yield batches on the device, from a number on."""
        return self.extraction.batches(count(first, step), device=device)

    def loss(self, module: nn.Module, batch: Batch, *, number: int) -> Mapping[str, Tensor]:
        """Return the loss of a batch, and keep its examples."""
        if self.cache is not None and number not in self.cache:
            self.cache.add(number, self.extraction.rows(batch, number=number))
        thinning = self.extraction.config.thinning
        scored: ScoredPairs = module(batch.wireframe0, batch.wireframe1, thinning=thinning)
        truth = pair_truth(batch, scored.pairs)
        return same_line_loss(scored.outputs, truth, **asdict(self.config.loss))

    @torch.no_grad()
    def validate(self, module: nn.Module, *, device: torch.device) -> Mapping[str, float]:
        """Return how well the lines of held-out pairs are told apart."""
        if not self._held_out:
            config = self.extraction.config
            number = -(-config.num_held_out // config.batch_size)
            self._held_out = list(
                self.extraction.batches(range(number), device=device, held_out=True)
            )
        values: list[list[Tensor]] = [[], [], []]
        for batch in self._held_out:
            scored: ScoredPairs = module(batch.wireframe0, batch.wireframe1)
            same, _, known = (scored.pairs.take(value) for value in batch.lines)
            for kept, value in zip(
                values, (scored.outputs[:, 0].sigmoid(), same, known), strict=True
            ):
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
            for name, parameter in self.network.named_parameters()
            if parameter.requires_grad
        }


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
    return extended.requires_grad_(False).eval()
