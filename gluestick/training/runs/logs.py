"""What a run tells: a line now and then, a file of figures, TensorBoard."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

Say = Callable[[str], None]


class RunLog:
    """Writes the figures of a run to ``metrics.jsonl``, and to TensorBoard where it is installed.

    Args:
        folder: The folder of the run.
        say: Shows a line.
        num_steps: How many steps there will be.
        enabled: Whether anything is written and shown; of several processes only one does.
    """

    def __init__(self, folder: Path, *, say: Say, num_steps: int, enabled: bool = True) -> None:
        self.folder, self.say, self.num_steps, self.enabled = folder, say, num_steps, enabled
        self._started: tuple[float, int] | None = None
        self._board = None
        if enabled:
            folder.mkdir(parents=True, exist_ok=True)
            self._board = _summary_writer(folder)

    def train(self, step: int, figures: Mapping[str, float], *, pairs_per_step: int) -> None:
        """Note the figures of training after a number of steps."""
        now = time.monotonic()
        if self._started is None:
            self._started = now, step
        seconds, steps = now - self._started[0], step - self._started[1]
        speed = steps / seconds if seconds > 0 else 0.0
        left = (self.num_steps - step) / speed if speed else float("nan")
        if not self.enabled:
            return
        self._write("train", step, {**figures, "pairs_per_second": speed * pairs_per_step})
        text = " ".join(f"{name} {value:.4g}" for name, value in figures.items())
        self.say(
            f"step {step}/{self.num_steps} {text} | {speed * pairs_per_step:.1f} pairs/s, "
            f"{left / 60:.1f} min left"
        )

    def validate(self, step: int, figures: Mapping[str, float]) -> None:
        """Note the figures of a validation."""
        self._write("validation", step, figures)
        text = " ".join(f"{name} {value:.4g}" for name, value in figures.items())
        self.say(f"step {step} validation: {text}")

    def pictures(self, step: int, pictures: Mapping[str, np.ndarray]) -> None:
        """Note pictures [H, W, 3] uint8, by name, where TensorBoard is installed."""
        if self._board is not None:
            for name, picture in pictures.items():
                self._board.add_image(name, picture, step, dataformats="HWC")

    def close(self) -> None:
        """Write what is left."""
        if self._board is not None:
            self._board.close()

    def _write(self, kind: str, step: int, figures: Mapping[str, float]) -> None:
        entry: dict[str, Any] = {"kind": kind, "step": step, **figures}
        with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        if self._board is not None:
            for name, value in figures.items():
                self._board.add_scalar(f"{kind}/{name}", value, step)


def _summary_writer(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(folder / "tensorboard")
