"""Training of the same-line head on examples from disk."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field

import torch
from torch import Tensor, nn

from gluestick.matching.line_heads.same_line import SameLineHead
from gluestick.supervision.losses.same_line import same_line_loss
from gluestick.training.calibration import average_precision, calibration_error
from gluestick.training.examples.rows import LineRows, sort_rows
from gluestick.training.losses import LossConfig

_AT_ONCE = 262_144


@dataclass(frozen=True, kw_only=True)
class SameLineTaskConfig:
    """How the same-line head is trained.

    Attributes:
        pairs: How many pairs of images make a batch.
        loss: The weights of the parts of the loss.
    """

    pairs: int = 16
    loss: LossConfig = field(default_factory=LossConfig)

    def __post_init__(self) -> None:
        if self.pairs < 1:
            raise ValueError(f"pairs needs to be at least 1, found {self.pairs}")


class SameLineTask:
    """Trains the head on examples that lie in memory.

    Args:
        head: The head.
        examples: What it learns from, one pair of images after the other.
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
        self.examples, self.held_out = sort_rows(examples), held_out
        self.pairs_per_step = config.pairs

    def batches(self, first: int, *, device: torch.device, step: int = 1) -> Iterator[LineRows]:
        """Yield the examples of random pairs of images."""
        examples = LineRows(*(value.to(device) for value in self.examples))
        counts = torch.unique_consecutive(self.examples.image, return_counts=True)[1]
        starts = counts.cumsum(0) - counts
        number = first
        while True:
            generator = torch.Generator().manual_seed(number)
            chosen = torch.randint(len(counts), (self.config.pairs,), generator=generator)
            index = torch.cat([torch.arange(counts[pair]) + starts[pair] for pair in chosen]).to(
                device
            )
            rows = LineRows(*(value[index] for value in examples))
            image = torch.arange(len(chosen)).repeat_interleave(counts[chosen]).to(device)
            yield rows._replace(image=image)
            number += step

    def loss(self, module: nn.Module, batch: LineRows, *, number: int) -> Mapping[str, Tensor]:
        """Return the loss of a batch of examples."""
        outputs = module(batch.features.float())
        return same_line_loss(outputs, batch.truth(), **asdict(self.config.loss))

    @torch.no_grad()
    def validate(self, module: nn.Module, *, device: torch.device) -> Mapping[str, float]:
        """Return how well the held-out examples are told apart."""
        features = self.held_out.features.split(_AT_ONCE)
        outputs = torch.cat([module(part.to(device).float()).float().cpu() for part in features])
        truth = self.held_out.truth()
        probabilities, weight = outputs[:, 0].sigmoid(), truth.weight.float()
        losses = same_line_loss(outputs, truth, **asdict(self.config.loss))
        return {
            "score": average_precision(probabilities, truth.same, weight),
            "calibration_error": calibration_error(probabilities, truth.same, weight),
            **{name: float(value) for name, value in losses.items()},
        }

    def weights(self, module: nn.Module) -> Mapping[str, Tensor]:
        """Return the parameters of the head."""
        return {f"{self.prefix}{name}": value for name, value in self.head.state_dict().items()}
