"""Rates, parts with rates of their own, and averages of weights."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class OptimizationConfig:
    """How weights change.

    Attributes:
        learning_rate: The highest rate of AdamW.
        rates: By what this is multiplied for some parameters, by the beginning of their names;
            the longest that fits counts.
        weight_decay: AdamW's weight decay; biases and the like have none.
        warmup: The share in [0, 1) of all steps during which the rate rises.
        final_rate: The share of the highest rate that is left at the end, along half a cosine.
        clip: The largest norm of all gradients together; 0 does not clip.
        accumulate: How many batches make a step.
        average: The share of itself that the average of the weights keeps with each step; it
            starts smaller. 0 for no average.
    """

    learning_rate: float = 1e-3
    rates: dict[str, float] = field(default_factory=dict)
    weight_decay: float = 1e-3
    warmup: float = 0.05
    final_rate: float = 0.01
    clip: float = 1.0
    accumulate: int = 1
    average: float = 0.999

    def __post_init__(self) -> None:
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate needs to be positive, found {self.learning_rate}")
        if not (0 <= self.warmup < 1 and 0 <= self.final_rate <= 1 and 0 <= self.average < 1):
            raise ValueError(
                "warmup, final_rate and average need to be shares from 0 to 1, found "
                f"{self.warmup}, {self.final_rate} and {self.average}"
            )
        if self.accumulate < 1:
            raise ValueError(f"accumulate needs to be at least 1, found {self.accumulate}")


def rate_at(step: int, *, num_steps: int, config: OptimizationConfig) -> float:
    """Return the share of the highest rate at a step, counted from 0."""
    warmup = config.warmup * num_steps
    if step < warmup:
        return (step + 1) / (warmup + 1)
    progress = (step - warmup) / max(num_steps - warmup, 1)
    wave = 0.5 * (1 + math.cos(math.pi * min(progress, 1)))
    return config.final_rate + (1 - config.final_rate) * wave


def build_optimizer(module: nn.Module, config: OptimizationConfig) -> torch.optim.AdamW:
    """Build AdamW for the parameters of a module that need gradients.

    Raises:
        ValueError: If there is none, or a part in ``config.rates`` names none.
    """
    trained = dict(trained_parameters(module))
    if not trained:
        raise ValueError("training needs parameters to train, found none")
    for part in config.rates:
        if not any(name.startswith(part) for name in trained):
            raise ValueError(
                f"rates names {part!r}, with which no trained parameter begins; there are: "
                f"{', '.join(sorted({name.rpartition('.')[0] for name in trained}))}"
            )
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, parameter in trained.items():
        fitting = [part for part in config.rates if name.startswith(part)]
        rate = config.rates[max(fitting, key=len)] if fitting else 1.0
        decay = config.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "weight_decay": decay, "share": rate}
            for (rate, decay), parameters in groups.items()
        ],
        lr=config.learning_rate,
    )


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the rate of each part to its share of ``rate``."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["share"]


def trained_parameters(module: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield the names and values of the parameters that need gradients."""
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            yield name, parameter


class WeightAverage:
    """The exponential moving average of the trained parameters of a module.

    Args:
        module: The module.
        share: The share of itself that the average keeps with each step; 0 follows the weights.
    """

    def __init__(self, module: nn.Module, share: float) -> None:
        self.share = share
        self.values = {
            name: parameter.detach().clone() for name, parameter in trained_parameters(module)
        }

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Take the weights after a step, counted from 0, into account."""
        share = min(self.share, (1 + step) / (10 + step))
        for name, parameter in trained_parameters(module):
            self.values[name].lerp_(parameter, 1 - share)

    def load(self, values: Mapping[str, Tensor]) -> None:
        """Go on with earlier values."""
        for name, value in self.values.items():
            value.copy_(values[name])

    @torch.no_grad()
    def exchange(self, module: nn.Module) -> None:
        """Put the averages into the module, and its weights here; again to undo it."""
        for name, parameter in trained_parameters(module):
            kept = parameter.detach().clone()
            parameter.copy_(self.values[name])
            self.values[name].copy_(kept)
