"""Training of whole networks, or of the points' part of one, by the true matches of pairs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from itertools import count
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from gluestick.matching.gluestick import GlueStick, GlueStickConfig
from gluestick.matching.layer_outputs import LayerOutput
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.line_heads.endpoints import EndpointLineHead
from gluestick.supervision.losses.networks import gluestick_loss, lightglue_loss
from gluestick.supervision.rules import IGNORED
from gluestick.training.adapters import add_adapters, merged_parameters
from gluestick.training.examples.batches import Batch
from gluestick.training.examples.extraction import Extraction
from gluestick.training.examples.truth import line_truth
from gluestick.training.validation import matching_figures, matching_pictures
from gluestick.types import GroundTruth, Wireframe

NetworkLoss = Callable[[Sequence[LayerOutput], GroundTruth, Batch], dict[str, Tensor]]
"""Returns losses [B] of a batch by name, of which ``loss`` is minimised."""

ValidateOn = Literal["held_out", "training"]


@dataclass(frozen=True, kw_only=True)
class GlueStickTaskConfig:
    """How GlueStick is trained from random weights.

    Attributes:
        network: The network; ``input_dim`` is that of the model's detector.
        keypoint_radius: px, keypoints nearer than this to a line's endpoint are left out, as
            published; None keeps all.
        balance: The weight in [0, 1] of true matches against what has none.
        layer_weights: The weights of the lines after the layers in ``network.inter_supervision``,
            one for each.
        validate_on: ``training`` validates on the first pairs that are trained on, to see whether
            a network can learn them by heart.
    """

    network: GlueStickConfig = field(
        default_factory=lambda: GlueStickConfig(input_dim=128, inter_supervision=(2, 5))
    )
    keypoint_radius: float | None = 4.0
    balance: float = 0.5
    layer_weights: tuple[float, ...] = (0.3, 0.6)
    validate_on: ValidateOn = "held_out"

    def __post_init__(self) -> None:
        if not 0 <= self.balance <= 1:
            raise ValueError(f"balance needs to be in [0, 1], found {self.balance}")
        layers = tuple(self.network.inter_supervision)
        if len(layers) != len(self.layer_weights):
            raise ValueError(
                f"layer_weights needs one weight for each of the layers {layers}, found "
                f"{tuple(self.layer_weights)}"
            )


@dataclass(frozen=True, kw_only=True)
class PointsTaskConfig:
    """How the points' part of LightGlueStick is trained; lines stay as they are.

    Attributes:
        trained: Patterns of the names of parameters that are trained.
        adapted: Patterns of the names of linear layers that get low-rank adapters.
        rank: The rank of the adapters; 0 for none.
        balance: The weight in [0, 1] of true matches against what has none.
        decay: What a layer counts less than the one above it.
        confidence_weight: The weight of the confidences by which pairs end early.
        validate_on: As in :class:`GlueStickTaskConfig`.
    """

    trained: tuple[str, ...] = (
        "transformers.8.self_attn.*",
        "transformers.8.cross_attn.*",
        "log_assignment.8.matchability.*",
        "log_assignment.8.final_proj.*",
    )
    adapted: tuple[str, ...] = ("transformers.*.self_attn.*", "transformers.*.cross_attn.*")
    rank: int = 0
    balance: float = 0.5
    decay: float = 1.0
    confidence_weight: float = 0.0
    validate_on: ValidateOn = "held_out"

    def __post_init__(self) -> None:
        if self.rank < 0:
            raise ValueError(f"rank needs to be at least 0, found {self.rank}")
        if not (0 <= self.balance <= 1 and 0 < self.decay <= 1):
            raise ValueError(
                "balance needs to be in [0, 1] and decay in (0, 1], found "
                f"{self.balance} and {self.decay}"
            )


class SupervisedNetwork(nn.Module):
    """A network as it is trained: what it says after each layer that is supervised.

    LightGlueStick's lines are matched by their endpoints, which takes no time: their heads are
    trained elsewhere.

    Args:
        network: The network.
    """

    def __init__(self, network: GlueStick | LightGlueStick) -> None:
        super().__init__()
        self.network = network

    def forward(self, wireframe0: Wireframe, wireframe1: Wireframe) -> tuple[LayerOutput, ...]:
        """Match a batch."""
        if isinstance(self.network, GlueStick):
            return self.network.forward_all(wireframe0, wireframe1)[1]
        return self.network.forward_all(wireframe0, wireframe1, line_head=EndpointLineHead())[1]


class MatchingTask:
    """Trains a network on the true matches of pairs of images.

    Args:
        extraction: Makes the batches.
        network: The network, with gradients for what is trained.
        loss: The loss.
        score: The figures whose mean says how good a network is.
        apart: Whether the truth matches junctions and keypoints apart.
        validate_on: What it is validated on.
    """

    def __init__(
        self,
        extraction: Extraction,
        network: GlueStick | LightGlueStick,
        loss: NetworkLoss,
        *,
        score: Sequence[str],
        apart: bool,
        validate_on: ValidateOn,
    ) -> None:
        self.extraction, self.network, self.apart = extraction, network, apart
        self.score, self.validate_on = score, validate_on
        self.module: nn.Module = SupervisedNetwork(network)
        self.pairs_per_step = extraction.config.batch_size
        self._loss = loss
        self._validated: list[Batch] = []

    def batches(self, first: int, *, device: torch.device, step: int = 1) -> Iterator[Batch]:
        """Yield batches on the device, from a number on."""
        return self.extraction.batches(count(first, step), device=device, apart=self.apart)

    def loss(self, module: nn.Module, batch: Batch, *, number: int) -> Mapping[str, Tensor]:
        """Return the losses of a batch, averaged over its pairs."""
        outputs = module(batch.wireframe0, batch.wireframe1)
        losses = self._loss(outputs, self._truth(batch), batch)
        return {name: value.mean() for name, value in losses.items()}

    @torch.no_grad()
    def validate(self, module: nn.Module, *, device: torch.device) -> Mapping[str, float]:
        """Return the figures of held-out pairs."""
        if not self._validated:
            config = self.extraction.config
            held_out = self.validate_on == "held_out"
            number = config.num_held_out if held_out else min(config.num_pairs, config.num_held_out)
            batches = range(-(-number // config.batch_size))
            self._validated = list(
                self.extraction.batches(batches, device=device, held_out=held_out, apart=self.apart)
            )
        found = (
            (self.network(batch.wireframe0, batch.wireframe1), self._truth(batch))
            for batch in self._validated
        )
        figures = matching_figures(found)
        return {"score": float(np.mean([figures[name] for name in self.score])), **figures}

    @torch.no_grad()
    def pictures(self, module: nn.Module, *, device: torch.device) -> Mapping[str, np.ndarray]:
        """Return what is matched in the first pair that is validated on."""
        batch = self._validated[0]
        matches = self.network(batch.wireframe0, batch.wireframe1)
        return matching_pictures(batch.wireframe0, batch.wireframe1, matches)

    def weights(self, module: nn.Module) -> Mapping[str, Tensor]:
        """Return all of the network, with adapters multiplied out."""
        return merged_parameters(self.network)

    def _truth(self, batch: Batch) -> GroundTruth:
        assert batch.nodes is not None
        nodes = list(batch.nodes)
        if self.apart:  # junctions share the keypoints' weights, and are not what is trained
            masks = batch.wireframe0.junction_mask, batch.wireframe1.junction_mask
            nodes = [
                labels.masked_fill(mask, IGNORED) for labels, mask in zip(nodes, masks, strict=True)
            ]
        lines = line_truth(batch.lines, batch.partners)
        return GroundTruth(
            gt_matches0=nodes[0],
            gt_matches1=nodes[1],
            gt_line_matches0=lines.matches0,
            gt_line_matches1=lines.matches1,
        )


def gluestick_task(extraction: Extraction, config: GlueStickTaskConfig) -> MatchingTask:
    """Return the training of GlueStick from random weights.

    The wireframes of ``extraction`` keep the keypoints that the configuration says.
    """
    weights = dict(zip(config.network.inter_supervision, config.layer_weights, strict=True))

    def loss(outputs: Sequence[LayerOutput], truth: GroundTruth, batch: Batch) -> dict[str, Tensor]:
        return gluestick_loss(outputs, truth, balance=config.balance, layer_weights=weights)

    return MatchingTask(
        extraction,
        GlueStick(config.network),
        loss,
        score=("points/ap", "lines/ap"),
        apart=False,
        validate_on=config.validate_on,
    )


def points_task(extraction: Extraction, config: PointsTaskConfig) -> MatchingTask:
    """Return the training of the points' part of the network of ``extraction``.

    Raises:
        ValueError: If nothing is named that is trained.
    """
    network = extraction.network.requires_grad_(False)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(any(fnmatch(name, pattern) for pattern in config.trained))
    if config.rank:
        add_adapters(network, config.adapted, rank=config.rank)
        for name, parameter in network.named_parameters():
            if name.endswith(".parametrizations.weight.original"):
                parameter.requires_grad_(False)

    def loss(outputs: Sequence[LayerOutput], truth: GroundTruth, batch: Batch) -> dict[str, Tensor]:
        return lightglue_loss(
            outputs,
            truth,
            masks=(batch.wireframe0.keypoint_mask, batch.wireframe1.keypoint_mask),
            balance=config.balance,
            decay=config.decay,
            line_weight=0.0,
            confidence_weight=config.confidence_weight,
        )

    return MatchingTask(
        extraction,
        network,
        loss,
        score=("points/ap",),
        apart=network.config.attention == "one_way",
        validate_on=config.validate_on,
    )
