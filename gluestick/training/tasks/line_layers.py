"""Training of line layers and the line head of LightGlueStick, with points as they are or not."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatch
from itertools import count
from typing import Literal

import torch
from torch import Tensor, nn

from gluestick.matching.assignment import mutual_matches
from gluestick.matching.line_heads.endpoints import EndpointLineHead
from gluestick.supervision.losses.assignment import line_assignment_loss
from gluestick.supervision.losses.same_line import same_line_loss
from gluestick.supervision.match_metrics import MatchOutcomes, match_outcomes, precision_recall
from gluestick.supervision.rules import IGNORED, TrueMatches
from gluestick.training.calibration import calibration_error
from gluestick.training.examples.batches import Batch
from gluestick.training.examples.extraction import Extraction
from gluestick.training.examples.rows import RowStore, pair_truth, without_same_lines
from gluestick.training.examples.truth import line_truth
from gluestick.training.losses import LossConfig
from gluestick.training.tasks.scoring_network import (
    ScoredLines,
    ScoringNetwork,
    TrainableHead,
    open_matchability,
    with_line_part,
)

_POINTS = (".self_attn.", ".cross_attn.", "input_proj.", "posenc.", ".final_proj.", ".matchab")


@dataclass(frozen=True, kw_only=True)
class NodeLossConfig:
    """The weights of what is supervised at single layers, against the loss of the line head.

    Attributes:
        junctions: Of the matches of junctions.
        lines: Of the matches of lines by their endpoints.
        points: Of the matches of keypoints, where their part is trained.
        layers: The supervised layers, besides the last one; None for all.
    """

    junctions: float = 0.05
    lines: float = 0.05
    points: float = 0.1
    layers: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if min(self.junctions, self.lines, self.points) < 0:
            raise ValueError(
                "the weights of a loss need to be at least 0, found "
                f"{self.junctions}, {self.lines} and {self.points}"
            )


@dataclass(frozen=True, kw_only=True)
class LineLayersTaskConfig:
    """What is trained.

    Attributes:
        line_layers: The layers that pass messages along the lines; None for all.
        line_head: The line head.
        attention: Whether junctions may change keypoints.
        trained: Patterns of the names of the parameters that are trained; all others stay. As
            long as none belongs to keypoints, their matches stay to the bit.
        loss: The weights of the parts of the loss of the head ``same_line``.
        nodes: The weights of what is supervised at the layers.
    """

    line_layers: tuple[int, ...] | None = None
    line_head: TrainableHead = "same_line"
    attention: Literal["one_way", "full"] = "one_way"
    trained: tuple[str, ...] = (
        "line_head.*",
        "transformers.*.line_layer.*",
        "log_assignment.*.final_proj_line.*",
        "log_assignment.*.endp_matchability.*",
    )
    loss: LossConfig = field(default_factory=LossConfig)
    nodes: NodeLossConfig = field(default_factory=NodeLossConfig)


class LineLayersTask:
    """Trains parts of a network on pairs of images.

    Args:
        extraction: Makes the batches, and has the network to start from.
        config: The options.
        cache: Where examples for the same-line head of the network as it was at the start are
            kept, or None.

    Raises:
        ValueError: If a layer is supervised that there is not.
    """

    def __init__(
        self,
        extraction: Extraction,
        config: LineLayersTaskConfig,
        *,
        cache: RowStore | None = None,
    ) -> None:
        self.extraction, self.config, self.cache = extraction, config, cache
        network = with_line_part(
            extraction.network,
            line_layers=config.line_layers,
            line_head=config.line_head,
            attention=config.attention,
        )
        open_matchability(network)
        layers = _supervised(config, network.config.num_layers)
        for name in _trained_names(config, network, layers):
            network.get_parameter(name).requires_grad_()
        self.network = network
        self.trains_points = any(
            part in name
            for name, value in network.named_parameters()
            if value.requires_grad
            for part in _POINTS
        )
        self.module: nn.Module = ScoringNetwork(network, layers=layers)
        self.pairs_per_step = extraction.config.batch_size
        self._endpoints = EndpointLineHead()
        self._held_out: list[Batch] = []

    def batches(self, first: int, *, device: torch.device, step: int = 1) -> Iterator[Batch]:
        """Yield batches on the device, from a number on."""
        return self.extraction.batches(count(first, step), device=device, apart=self._apart)

    def loss(self, module: nn.Module, batch: Batch, *, number: int) -> Mapping[str, Tensor]:
        """Return the loss of a batch, and keep its examples."""
        if self.cache is not None and number not in self.cache:
            self.cache.add(number, self.extraction.rows(batch, number=number))
        options = self.extraction.config
        in_mirror = bool(torch.rand(()) < options.mirroring)
        found: ScoredLines = module(
            batch.wireframe0, batch.wireframe1, thinning=options.thinning, in_mirror=in_mirror
        )
        lines = line_truth(batch.lines, batch.partners)
        losses: dict[str, Tensor] = {}
        if found.scored is None:
            losses["loss"] = line_assignment_loss(found.line_log_assignment, lines)
        else:
            seen = without_same_lines(batch) if in_mirror else batch
            truth = pair_truth(seen, found.scored.pairs)
            losses |= same_line_loss(found.scored.outputs, truth, **asdict(self.config.loss))
        weights = asdict(self.config.nodes)
        for name, value in self._node_losses(found, batch, lines).items():
            losses[name] = value
            losses["loss"] = losses["loss"] + weights[name] * value
        return losses

    @torch.no_grad()
    def validate(self, module: nn.Module, *, device: torch.device) -> Mapping[str, float]:
        """Return how well the lines of held-out pairs are matched: average precision first."""
        if not self._held_out:
            config = self.extraction.config
            number = -(-config.num_held_out // config.batch_size)
            self._held_out = list(
                self.extraction.batches(
                    range(number), device=device, held_out=True, apart=self._apart
                )
            )
        outcomes: list[MatchOutcomes] = []
        values: list[list[Tensor]] = [[], [], []]
        for batch in self._held_out:
            found: ScoredLines = module(batch.wireframe0, batch.wireframe1)
            outcomes += _outcomes(
                found.line_log_assignment, line_truth(batch.lines, batch.partners)
            )
            if found.scored is not None:
                same, _, known = (found.scored.pairs.take(value) for value in batch.lines)
                probabilities = found.scored.outputs[:, 0].sigmoid()
                for kept, value in zip(values, (probabilities, same, known), strict=True):
                    kept.append(value.float().cpu())
        figures = {"score": precision_recall(outcomes).average_precision}
        if values[0]:
            figures["calibration_error"] = calibration_error(*(torch.cat(part) for part in values))
        return figures

    def weights(self, module: nn.Module) -> Mapping[str, Tensor]:
        """Return the parameters that are trained."""
        return {
            name: parameter
            for name, parameter in self.network.named_parameters()
            if parameter.requires_grad
        }

    @property
    def _apart(self) -> bool:
        return self.config.attention == "one_way"

    def _node_losses(
        self, found: ScoredLines, batch: Batch, lines: TrueMatches
    ) -> dict[str, Tensor]:
        """Return the losses of what is supervised at the layers, averaged over them."""
        config, sides = self.config.nodes, (batch.wireframe0, batch.wireframe1)
        losses: dict[str, Tensor] = {}
        truths = {}
        if batch.nodes is not None:
            junctions = [wireframe.junction_mask for wireframe in sides]
            if config.junctions > 0:
                truths["junctions"] = _only(batch.nodes, *junctions)
            if config.points > 0 and self.trains_points:
                truths["points"] = _only(batch.nodes, *(~mask for mask in junctions))
        for name, truth in truths.items():
            costs = [line_assignment_loss(nodes.log_assignment, truth) for nodes in found.layers]
            losses[name] = torch.stack(costs).mean()
        if config.lines > 0:
            assignments = [self._endpoints(*sides, nodes).log_assignment for nodes in found.layers]
            costs = [line_assignment_loss(assignment, lines) for assignment in assignments]
            losses["lines"] = torch.stack(costs).mean()
        return losses


def _supervised(config: LineLayersTaskConfig, num_layers: int) -> tuple[int, ...]:
    layers = config.nodes.layers
    if layers is None:
        return tuple(range(num_layers))
    if any(not 0 <= layer < num_layers for layer in layers):
        raise ValueError(f"nodes.layers needs layers from 0 to {num_layers - 1}, found {layers}")
    return layers


def _trained_names(
    config: LineLayersTaskConfig, network: nn.Module, layers: tuple[int, ...]
) -> Iterator[str]:
    """Yield the names of the parameters that are trained, without heads that get no gradient."""
    last = max(int(name.split(".")[1]) for name, _ in network.named_parameters() if "log_" in name)
    for name, _ in network.named_parameters():
        if not any(fnmatch(name, pattern) for pattern in config.trained):
            continue
        if name.startswith("log_assignment."):
            layer = int(name.split(".")[1])
            if layer not in layers and (layer != last or ".endp_matchability." in name):
                continue
            if config.nodes.lines == 0 and (layer != last or ".endp_matchability." in name):
                continue
        yield name


def _only(truth: TrueMatches, mask0: Tensor, mask1: Tensor) -> TrueMatches:
    """Ignore all nodes but those of the masks."""
    return TrueMatches(
        torch.where(mask0, truth.matches0, IGNORED), torch.where(mask1, truth.matches1, IGNORED)
    )


def _outcomes(log_assignment: Tensor, truth: TrueMatches) -> list[MatchOutcomes]:
    found = mutual_matches(log_assignment, threshold=0.0)
    arrays = (found.matches0, truth.matches0, found.scores0)
    return [
        match_outcomes(*values)
        for values in zip(*(value.cpu().numpy() for value in arrays), strict=True)
    ]
