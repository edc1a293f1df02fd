"""Training of the same-line head on examples from disk."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gluestick.matching.line_heads.same_line import SameLineHead
from gluestick.supervision.same_line_loss import same_line_loss
from gluestick.training.calibration import average_precision, calibration_error
from gluestick.training.rows import LineRows

_AT_ONCE = 262_144


@dataclass(frozen=True, kw_only=True)
class SameLineTaskConfig:
    """How the same-line head is trained.

    Attributes:
        rows: How many examples make a batch.
        overlap_weight: See :func:`gluestick.supervision.same_line_loss.same_line_loss`.
        noise: The standard deviation of noise that is added to the features.
    """

    rows: int = 16384
    overlap_weight: float = 0.5
    noise: float = 0.0


class SameLineTask:
    """Trains the head on examples that lie in memory.

    Args:
        head: The head.
        examples: What it learns from.
        held_out: What it is validated on.
        config: The options.
        prefix: What the names of the weights on disk begin with.
    """

    def __init__(
        self,
        head: SameLineHead,
        examples: LineRows,
        held_out: LineRows,
        config: SameLineTaskConfig,
        *,
        prefix: str = "line_head.",
    ) -> None:
        self.module: nn.Module = head.score
        self.head, self.config, self.prefix = head, config, prefix
        self.examples, self.held_out = examples, held_out
        self.pairs_per_step = 0

    def batches(self, first: int, *, device: torch.device) -> Iterator[LineRows]:
        """Yield random examples."""
        examples = LineRows(*(value.to(device) for value in self.examples))
        number = first
        while True:
            generator = torch.Generator().manual_seed(number)
            chosen = torch.randint(len(examples.same), (self.config.rows,), generator=generator).to(
                device
            )
            yield LineRows(*(value[chosen] for value in examples))
            number += 1

    def loss(self, module: nn.Module, batch: LineRows, *, number: int) -> Mapping[str, Tensor]:
        """Return the loss of a batch of examples."""
        features = batch.features.float()
        if self.config.noise > 0:
            features = features + self.config.noise * torch.randn_like(features)
        logits, overlap_logits = module(features).unbind(-1)
        return {
            "loss": same_line_loss(
                logits,
                overlap_logits,
                batch.same,
                batch.overlap.float(),
                batch.weight.float(),
                overlap_weight=self.config.overlap_weight,
            )
        }

    @torch.no_grad()
    def validate(self, module: nn.Module, *, device: torch.device) -> Mapping[str, float]:
        """Return how well the held-out examples are told apart."""
        features = self.held_out.features.split(_AT_ONCE)
        outputs = torch.cat([module(part.to(device).float()).float().cpu() for part in features])
        probabilities, overlaps = outputs.sigmoid().unbind(-1)
        same, weight = self.held_out.same.cpu(), self.held_out.weight.cpu().float()
        overlap = self.held_out.overlap.cpu().float()
        logits, overlap_logits = outputs.unbind(-1)
        loss = same_line_loss(logits, overlap_logits, same, overlap, weight, overlap_weight=0.0)
        precision = average_precision(probabilities, same, weight)
        return {
            "score": precision,
            "loss": float(loss),
            "calibration_error": calibration_error(probabilities, same, weight),
            "overlap_error": float((overlaps - overlap)[same].abs().mean()),
        }

    def weights(self, module: nn.Module) -> Mapping[str, Tensor]:
        """Return the parameters of the head."""
        return {f"{self.prefix}{name}": value for name, value in self.head.state_dict().items()}
