"""States of training on disk, from which it goes on."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gluestick.storage.atomic import atomic_path
from gluestick.storage.parameters import save_checkpoint

_PATTERN = re.compile(r"step-(\d+)\.pt")


def save_state(folder: Path, state: Mapping[str, Any], *, step: int, keep: int) -> Path:
    """Write a state in one step, and remove all but the last ones.

    Args:
        folder: Where the states are.
        state: Tensors, numbers and texts.
        step: The number of finished steps.
        keep: How many states are kept.

    Returns:
        The file.
    """
    path = folder / f"step-{step:08d}.pt"
    with atomic_path(path) as temporary:
        torch.save(dict(state), temporary)
    for old in _states(folder)[:-keep]:
        old.unlink()
    return path


def load_last_state(folder: Path) -> dict[str, Any] | None:
    """Return the last state in a folder, on the CPU, or None where there is none.

    Raises:
        ValueError: If the file is damaged.
    """
    states = _states(folder)
    if not states:
        return None
    try:
        return torch.load(states[-1], map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(f"{states[-1]} is damaged, remove it: {error}") from error


@dataclass(frozen=True, kw_only=True)
class WeightsWriter:
    """Writes the weights of a run to be used.

    Attributes:
        half: Whether in half precision.
        others: Parameters that are not trained but belong to them.
        metadata: Text to store beside them.
    """

    half: bool = True
    others: Mapping[str, Tensor] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, path: Path, weights: Mapping[str, Tensor]) -> None:
        """Write a safetensors file in one step.

        Raises:
            CheckpointError: If it cannot be written.
        """
        values = {
            name: value.half() if self.half and value.is_floating_point() else value
            for name, value in {**self.others, **weights}.items()
        }
        save_checkpoint(path, values, metadata=self.metadata)


def _states(folder: Path) -> list[Path]:
    found = [path for path in folder.glob("step-*.pt") if _PATTERN.fullmatch(path.name)]
    return sorted(found)
