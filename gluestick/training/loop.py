"""The loop of training: steps, averages, validation, states on disk."""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from gluestick.training.activation_checkpoints import checkpoint_activations
from gluestick.training.optimization import (
    OptimizationConfig,
    WeightAverage,
    build_optimizer,
    rate_at,
    set_rate,
    trained_parameters,
)
from gluestick.training.runs.checkpoints import WeightsWriter, load_last_state, save_state
from gluestick.training.runs.logs import RunLog, Say
from gluestick.training.runs.processes import launch_fabric, set_up


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """How long training goes on, and what is kept.

    Attributes:
        steps: How many steps there are.
        precision: Lightning Fabric's: "32-true", "bf16-mixed" or "16-mixed".
        accelerator: Lightning Fabric's: "auto", "cpu" or "cuda".
        devices: How many processes train together, each on a device and with batches of its own.
        activation_checkpoints: Whether layers are computed again in the backward pass, which
            takes less memory and a third more time.
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
    devices: int = 1
    activation_checkpoints: bool = False
    validate_every: int = 500
    save_every: int = 500
    log_every: int = 50
    keep: int = 2
    max_seconds: float = 0.0
    half: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "devices", "validate_every", "save_every", "log_every", "keep"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} needs to be at least 1, found {getattr(self, name)}")


class Task(Protocol):
    """What is trained, on what, and how well it does."""

    module: nn.Module
    """Its parameters that need gradients are trained."""

    pairs_per_step: int
    """How many pairs of images a batch has."""

    def batches(self, first: int, *, device: torch.device, step: int = 1) -> Iterator[Any]:
        """Yield each ``step``-th batch from a number on, without end, the same in every run."""

    def loss(self, module: nn.Module, batch: Any, *, number: int) -> Mapping[str, Tensor]:
        """Return ``loss``, which is minimised, and other figures to show."""

    def validate(self, module: nn.Module, *, device: torch.device) -> Mapping[str, float]:
        """Return figures, with ``score``, of which more is better."""

    def weights(self, module: nn.Module) -> Mapping[str, Tensor]:
        """Return what is written to disk to be used."""


@runtime_checkable
class ShowsPictures(Protocol):
    """A task that can show what its network does."""

    def pictures(self, module: nn.Module, *, device: torch.device) -> Mapping[str, np.ndarray]:
        """Return pictures [H, W, 3] uint8 of held-out pairs, by name."""


def run_training(
    task: Task,
    folder: Path,
    *,
    loop: LoopConfig,
    optimization: OptimizationConfig,
    fabric: Any = None,
    write: WeightsWriter | None = None,
    resume: bool = False,
    say: Say = print,
) -> bool:
    """Train until all steps are done, or until the time is up.

    Writes to ``folder``: ``states/`` to go on from, ``last.safetensors`` and, by the score of the
    validations, ``best.safetensors`` (averages of weights), and ``metrics.jsonl``. Of several
    processes the first one validates and writes.

    Args:
        task: What is trained.
        folder: The folder of the run.
        loop: How long, and what is kept.
        optimization: How weights change.
        fabric: The processes, launched; None launches them.
        write: Writes weights.
        resume: Whether to go on from the last state in the folder, if there is one.
        say: Shows a line.

    Returns:
        Whether all steps are done.

    Raises:
        ValueError: If options do not fit.
    """
    started = time.monotonic()
    run = _Run(task, folder, loop, optimization, fabric or launch_loop(loop), say)
    run.write = write or WeightsWriter(half=loop.half)
    if resume:
        run.restore()
    run.set_up()
    while run.step < loop.steps:
        losses = run.take_step()
        late = run.agree(0 < loop.max_seconds < time.monotonic() - started)
        last = run.step == loop.steps or late
        if run.step % loop.log_every == 0 or last:
            run.log_losses(losses)
        if run.step % loop.validate_every == 0 or last:
            run.validate()
        if run.step % loop.save_every == 0 or last:
            run.save()
        if late:
            break
    run.log.close()
    return run.step >= loop.steps


def launch_loop(loop: LoopConfig) -> Any:
    """Start the processes of a run; see :func:`gluestick.training.runs.processes.launch_fabric`."""
    return launch_fabric(
        accelerator=loop.accelerator, devices=loop.devices, precision=loop.precision
    )


class _Run:
    """One run, as far as it is."""

    write: WeightsWriter

    def __init__(
        self,
        task: Task,
        folder: Path,
        loop: LoopConfig,
        optimization: OptimizationConfig,
        fabric: Any,
        say: Say,
    ) -> None:
        self.task, self.folder, self.fabric = task, folder, fabric
        self.loop, self.optimization = loop, optimization
        task.module.to(fabric.device)
        self.optimizer = build_optimizer(task.module, optimization)
        self.average = WeightAverage(task.module, optimization.average)
        self.step, self.best = 0, float("-inf")
        self.log = RunLog(folder, say=say, num_steps=loop.steps, enabled=fabric.is_global_zero)

    def restore(self) -> None:
        """Go on from the last state on disk, if there is one."""
        content = load_last_state(self.folder / "states")
        if content is None:
            return
        module = self.task.module
        with torch.no_grad():
            for name, parameter in trained_parameters(module):
                parameter.copy_(content["weights"][name])
            for name, buffer in module.named_buffers():
                buffer.copy_(content["buffers"][name])
        self.optimizer.load_state_dict(content["optimizer"])
        self.average.load(content["average"])
        self.step, self.best = content["step"], content["best"]

    def set_up(self) -> None:
        """Hand the module and its optimizer over to the processes."""
        module = self.task.module
        if self.loop.activation_checkpoints and not checkpoint_activations(module):
            raise ValueError("activation_checkpoints needs a network that is trained, found a head")
        prepared = set_up(self.fabric, module, self.optimizer)
        self.module, self.fabric_module, self.optimizer = prepared
        first = self.step * self.optimization.accumulate
        self.iterator = self.task.batches(
            first * self.fabric.world_size + self.fabric.global_rank,
            device=self.fabric.device,
            step=self.fabric.world_size,
        )

    def take_step(self) -> Mapping[str, Tensor]:
        """Change the weights once, and return the losses of the last batch."""
        config, fabric = self.optimization, self.fabric
        self.module.train()
        share = rate_at(self.step, num_steps=self.loop.steps, config=config)
        set_rate(self.optimizer, config.learning_rate * share)
        for part in range(config.accumulate):
            number = self.step * config.accumulate + part
            number = number * fabric.world_size + fabric.global_rank
            torch.manual_seed(hash((self.loop.seed, number)) % 2**63)
            batch = next(self.iterator)
            with fabric.no_backward_sync(self.fabric_module, enabled=part < config.accumulate - 1):
                losses = self.task.loss(self.module, batch, number=number)
                fabric.backward(losses["loss"] / config.accumulate)
        norm = fabric.clip_gradients(
            self.fabric_module,
            self.optimizer,
            max_norm=config.clip or math.inf,
            error_if_nonfinite=False,
        )
        if bool(torch.isfinite(norm)):
            self.optimizer.step()
        self.optimizer.zero_grad()
        self.average.update(self.task.module, self.step)
        self.step += 1
        return losses

    def agree(self, late: bool) -> bool:
        """Return what the first process thinks."""
        several = self.loop.max_seconds > 0 and self.fabric.world_size > 1
        return bool(self.fabric.broadcast(late)) if several else late

    def log_losses(self, losses: Mapping[str, Tensor]) -> None:
        """Show losses."""
        figures = {name: float(value.detach()) for name, value in losses.items()}
        pairs = self.task.pairs_per_step * self.optimization.accumulate * self.fabric.world_size
        self.log.train(self.step, figures, pairs_per_step=pairs)

    def validate(self) -> None:
        """Measure the averaged weights, and write them."""
        if self.fabric.is_global_zero:
            task, device = self.task, self.fabric.device
            self.average.exchange(task.module)
            task.module.eval()
            found = dict(task.validate(task.module, device=device))
            self.log.validate(self.step, found)
            if isinstance(task, ShowsPictures):
                self.log.pictures(self.step, task.pictures(task.module, device=device))
            weights = task.weights(task.module)
            if found["score"] > self.best:
                self.best = found["score"]
                self.write(self.folder / "best.safetensors", weights)
            self.write(self.folder / "last.safetensors", weights)
            self.average.exchange(task.module)
        self.fabric.barrier()

    def save(self) -> None:
        """Write the state to go on from."""
        if self.fabric.is_global_zero:
            module = self.task.module
            content = {
                "step": self.step,
                "best": self.best,
                "weights": dict(trained_parameters(module)),
                "buffers": dict(module.named_buffers()),
                "optimizer": self.optimizer.state_dict(),
                "average": self.average.values,
            }
            save_state(self.folder / "states", content, step=self.step, keep=self.loop.keep)
        self.fabric.barrier()
