"""The processes that train together, by Lightning Fabric."""

import os
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

_FABRIC = "training needs Lightning Fabric: pip install 'gluestick-matching[train]'"


def launch_fabric(*, accelerator: str, devices: int, precision: str) -> Any:
    """Start the processes that train together, or join those that ``torchrun`` started.

    Args:
        accelerator: Lightning Fabric's: "auto", "cpu" or "cuda".
        devices: How many processes there are on this machine, each with a device of its own.
            ``torchrun`` says it better where it started them.
        precision: Lightning Fabric's.

    Returns:
        Lightning Fabric, launched.

    Raises:
        ImportError: If it is missing.
    """
    try:
        from lightning_fabric import Fabric
        from lightning_fabric.strategies.ddp import DDPStrategy
    except ImportError as error:
        raise ImportError(_FABRIC) from error
    here = int(os.environ.get("LOCAL_WORLD_SIZE", devices))
    nodes = int(os.environ.get("WORLD_SIZE", here)) // here
    several = here * nodes > 1
    if several and accelerator == "auto" and not torch.cuda.is_available():
        accelerator = "cpu"
    fabric = Fabric(
        accelerator=accelerator,
        devices=here,
        num_nodes=nodes,
        precision=precision,  # type: ignore[arg-type]
        # A batch without lines gives no gradient to what matches lines.
        strategy=DDPStrategy(find_unused_parameters=True) if several else "auto",
    )
    fabric.launch()
    return fabric


class _Hidden:
    """Something that Lightning Fabric is not to look into: it refuses frozen dataclasses."""

    def __init__(self, value: Any) -> None:
        self.value = value


class _Inside(nn.Module):
    """A module that takes its arguments hidden, and returns the tensors of its result apart."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, arguments: _Hidden) -> tuple[list[Tensor], _Hidden]:
        positional, named = arguments.value
        output = self.module(*positional, **named)
        tensors: list[Tensor] = []

        def keep(tensor: Tensor) -> Tensor:
            tensors.append(tensor)
            return tensor

        return tensors, _Hidden(map_tensors(output, keep))


class _Outside(nn.Module):
    """Calls what Lightning Fabric made of :class:`_Inside` like the module within."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *positional: Any, **named: Any) -> Any:
        tensors, output = self.module(_Hidden((positional, named)))
        passed = iter(tensors)
        return map_tensors(output.value, lambda _: next(passed))


def set_up(
    fabric: Any, module: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[nn.Module, nn.Module, Any]:
    """Hand a module over to Lightning Fabric, whatever it takes and returns.

    Args:
        fabric: Lightning Fabric, launched.
        module: The module.
        optimizer: Its optimizer.

    Returns:
        The module to be called, Lightning Fabric's own, and its optimizer.
    """
    own, optimizer = fabric.setup(_Inside(module), optimizer)
    return _Outside(own), own, optimizer


def map_tensors(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Return the same with all tensors changed within tuples, lists, dicts and dataclasses."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, tuple):
        parts = [map_tensors(part, change) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if isinstance(value, list):
        return [map_tensors(part, change) for part in value]
    if isinstance(value, dict):
        return {name: map_tensors(part, change) for name, part in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in fields(value)]
        return replace(value, **{name: map_tensors(getattr(value, name), change) for name in names})
    return value
