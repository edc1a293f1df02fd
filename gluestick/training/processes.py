"""The processes that train together, by Lightning Fabric."""

import os
from typing import Any

import torch

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
