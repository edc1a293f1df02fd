"""The loop of training: steps, averages, validation, states on disk."""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from gluestick.training.checkpoints import load_last_state, save_state, save_weights
from gluestick.training.logs import RunLog, Say
from gluestick.training.optimization import (
    OptimizationConfig,
    WeightAverage,
    build_optimizer,
    rate_at,
    set_rate,
    trained_parameters,
)


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """How long training goes on, and what is kept.

    Attributes:
        steps: How many steps there are.
        precision: Lightning Fabric's: "32-true", "bf16-mixed" or "16-mixed".
        accelerator: Lightning Fabric's: "auto", "cpu" or "cuda".
        validate_every: Steps between validations.
        save_every: Steps between states on disk.
        log_every: Steps between lines of figures.
        keep: How many states are kept.
        max_seconds: After how long training stops and saves its state, to be resumed; 0 for
            never.
        half: Whether weights are written in half precision.
        seed: Decides the first weights, and with the data's seed everything else.
    """

    steps: int = 1000
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    accelerator: str = "auto"
    validate_every: int = 500
    save_every: int = 500
    log_every: int = 50
    keep: int = 2
    max_seconds: float = 0.0
    half: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "validate_every", "save_every", "log_every", "keep"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} needs to be at least 1, found {getattr(self, name)}")


class Task(Protocol):
    """What is trained, on what, and how well it does."""

    module: nn.Module
    """Its parameters that need gradients are trained."""

    pairs_per_step: int
    """How many pairs of images a batch has."""

    def batches(self, first: int, *, device: torch.device) -> Iterator[Any]:
        """Yield the batches from a number on, without end, each the same in every run."""

    def loss(self, module: nn.Module, batch: Any, *, number: int) -> Mapping[str, Tensor]:
        """Return ``loss``, which is minimised, and other figures to show."""

    def validate(self, module: nn.Module, *, device: torch.device) -> Mapping[str, float]:
        """Return figures, with ``score``, of which more is better."""

    def weights(self, module: nn.Module) -> Mapping[str, Tensor]:
        """Return what is written to disk to be used."""


def run_training(
    task: Task,
    folder: Path,
    *,
    loop: LoopConfig,
    optimization: OptimizationConfig,
    resume: bool = False,
    say: Say = print,
) -> bool:
    """Train until all steps are done, or until the time is up.

    Writes to ``folder``: ``states/`` to go on from, ``last.safetensors`` and, by the score of the
    validations, ``best.safetensors`` (averages of weights), and ``metrics.jsonl``.

    Args:
        task: What is trained.
        folder: The folder of the run.
        loop: How long, and what is kept.
        optimization: How weights change.
        resume: Whether to go on from the last state in the folder, if there is one.
        say: Shows a line.

    Returns:
        Whether all steps are done.

    Raises:
        ValueError: If options do not fit.
    """
    started = time.monotonic()
    fabric = _fabric(loop)
    fabric.launch()
    device = fabric.device
    task.module.to(device)
    optimizer = build_optimizer(task.module, optimization)
    average = WeightAverage(task.module, optimization.average)
    state: dict[str, Any] = {"step": 0, "best": float("-inf")}
    if resume:
        state = _restore(folder / "states", task.module, optimizer, average) or state
    module, optimizer = fabric.setup(task.module, optimizer)
    log = RunLog(folder, say=say, num_steps=loop.steps)
    step, accumulate = state["step"], optimization.accumulate
    batches = task.batches(step * accumulate, device=device)
    while step < loop.steps:
        module.train()
        set_rate(
            optimizer,
            optimization.learning_rate * rate_at(step, num_steps=loop.steps, config=optimization),
        )
        for part in range(accumulate):
            number = step * accumulate + part
            torch.manual_seed(hash((loop.seed, number)) % 2**63)
            batch = next(batches)
            with fabric.no_backward_sync(module, enabled=part < accumulate - 1):
                losses = task.loss(module, batch, number=number)
                fabric.backward(losses["loss"] / accumulate)
        norm = fabric.clip_gradients(
            module, optimizer, max_norm=optimization.clip or math.inf, error_if_nonfinite=False
        )
        if bool(torch.isfinite(norm)):
            optimizer.step()
        optimizer.zero_grad()
        average.update(task.module, step)
        step += 1
        late = 0 < loop.max_seconds < time.monotonic() - started
        last = step == loop.steps or late
        if step % loop.log_every == 0 or last:
            figures = {name: float(value.detach()) for name, value in losses.items()}
            log.train(step, figures, pairs_per_step=task.pairs_per_step * accumulate)
        if step % loop.validate_every == 0 or last:
            average.exchange(task.module)
            task.module.eval()
            found = dict(task.validate(task.module, device=device))
            log.validate(step, found)
            if found["score"] > state["best"]:
                state["best"] = found["score"]
                save_weights(folder / "best.safetensors", task.weights(task.module), half=loop.half)
            save_weights(folder / "last.safetensors", task.weights(task.module), half=loop.half)
            average.exchange(task.module)
        if step % loop.save_every == 0 or last:
            state["step"] = step
            _save(folder / "states", state, task.module, optimizer, average, keep=loop.keep)
        if late:
            break
    log.close()
    return step >= loop.steps


def training_device(loop: LoopConfig) -> torch.device:
    """Return the device on which the first process trains."""
    fast = loop.accelerator == "auto" and torch.cuda.is_available()
    return torch.device("cuda" if fast or loop.accelerator in ("cuda", "gpu") else "cpu")


def _save(
    folder: Path,
    state: Mapping[str, Any],
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: WeightAverage,
    *,
    keep: int,
) -> None:
    content = {
        **state,
        "weights": dict(trained_parameters(module)),
        "optimizer": optimizer.state_dict(),
        "average": average.values,
    }
    save_state(folder, content, step=state["step"], keep=keep)


def _restore(
    folder: Path, module: nn.Module, optimizer: torch.optim.Optimizer, average: WeightAverage
) -> dict[str, Any] | None:
    content = load_last_state(folder)
    if content is None:
        return None
    with torch.no_grad():
        for name, parameter in trained_parameters(module):
            parameter.copy_(content["weights"][name])
    optimizer.load_state_dict(content["optimizer"])
    average.load(content["average"])
    return {"step": content["step"], "best": content["best"]}


def _fabric(loop: LoopConfig) -> Any:
    try:
        from lightning_fabric import Fabric
    except ImportError as error:
        raise ImportError(
            "training needs Lightning Fabric: pip install 'gluestick-matching[train]'"
        ) from error
    return Fabric(accelerator=loop.accelerator, devices=1, precision=loop.precision)
