"""Low-rank adapters: small changes of large matrices (LoRA, arXiv 2106.09685)."""

from collections.abc import Sequence
from fnmatch import fnmatch

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize


class LowRank(nn.Module):
    """Adds the product of two narrow matrices, which is 0 at first, to a matrix.

    Args:
        rows: The rows of the matrix.
        columns: Its columns.
        rank: How narrow they are.
    """

    def __init__(self, rows: int, columns: int, *, rank: int) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.randn(rank, columns) / columns**0.5)
        self.up = nn.Parameter(torch.zeros(rows, rank))

    def forward(self, weight: Tensor) -> Tensor:
        """Return the changed matrix."""
        return weight + self.up @ self.down


def add_adapters(network: nn.Module, patterns: Sequence[str], *, rank: int) -> list[str]:
    """Let linear layers be changed by adapters, which are all that is trained of them.

    Args:
        network: The network, which is changed; what it returns stays the same at first.
        patterns: The names of the layers, with ``*``.
        rank: The rank of each change, at least 1.

    Returns:
        The names of the adapted layers.

    Raises:
        ValueError: If no linear layer has such a name.
    """
    found = [
        (name, layer)
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Linear) and any(fnmatch(name, pattern) for pattern in patterns)
    ]
    if not found:
        raise ValueError(f"adapters need linear layers, and none is called {', '.join(patterns)}")
    for _, layer in found:
        adapter = LowRank(*layer.weight.shape, rank=rank).to(layer.weight)
        parametrize.register_parametrization(layer, "weight", adapter)
    return [name for name, _ in found]


def merged_parameters(network: nn.Module) -> dict[str, Tensor]:
    """Return the state of a network with its adapters multiplied out, under the usual names."""
    adapted = {
        name: layer
        for name, layer in network.named_modules()
        if parametrize.is_parametrized(layer, "weight")
    }
    state = {
        name: value
        for name, value in network.state_dict().items()
        if ".parametrizations." not in name
    }
    weights = {f"{name}.weight": layer.weight for name, layer in adapted.items()}
    return {name: value.detach() for name, value in {**state, **weights}.items()}
