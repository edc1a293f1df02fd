"""Reading the weights of a detector from a file."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

DOWNLOAD = "download"
"""Given in place of a file, asks for the published weights to be fetched."""

_WRAPPERS = ("state_dict", "model_state_dict", "model", "extractor")
"""Names under which published checkpoints keep their weights."""

_OPTIONAL = "num_batches_tracked"
"""A counter that is only used in training, and that some checkpoints leave out."""

_LISTED = 5


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Read named tensors from a ``.safetensors`` file or a PyTorch checkpoint.

    No code from the file is executed. A checkpoint that keeps its weights one level down,
    as ``{"state_dict": ...}``, is unwrapped.

    Args:
        path: The file.

    Returns:
        The tensors by name, on the CPU.

    Raises:
        ValueError: If the file is missing, or does not hold named tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"the weights file {path} does not exist: check the path")
    content: Any
    try:
        if path.suffix == ".safetensors":
            content = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"the weights file {path} cannot be read: {error}") from error
    except Exception as error:
        raise ValueError(
            f"{path} is not a PyTorch checkpoint of plain tensors: fetch it again, or convert it "
            "to .safetensors"
        ) from error
    if isinstance(content, Mapping):
        wrapper = next((name for name in _WRAPPERS if isinstance(content.get(name), Mapping)), None)
        content = content if wrapper is None else content[wrapper]
    if not isinstance(content, Mapping) or not all(
        isinstance(value, Tensor) for value in content.values()
    ):
        raise ValueError(f"the weights file {path} needs named tensors, found something else")
    return dict(content)


def load_weights(module: nn.Module, weights: Mapping[str, Tensor], *, source: str | Path) -> None:
    """Load named tensors into a module, all of them and nothing else.

    Args:
        module: What the weights are for.
        weights: The tensors by name; half precision is converted.
        source: Where they come from, for the error message.

    Raises:
        ValueError: If a name is missing or unexpected, or a shape differs; lists the first few.
    """
    expected = module.state_dict()
    missing = expected.keys() - weights.keys()
    problems = {
        "missing": sorted(name for name in missing if not name.endswith(_OPTIONAL)),
        "unexpected": sorted(weights.keys() - expected.keys()),
        "of another shape": sorted(
            name
            for name in expected.keys() & weights.keys()
            if expected[name].shape != weights[name].shape
        ),
    }
    found = [
        f"{len(names)} {problem} ({', '.join(names[:_LISTED])}{', ...' * (len(names) > _LISTED)})"
        for problem, names in problems.items()
        if names
    ]
    if found:
        raise ValueError(
            f"the weights in {source} do not fit {type(module).__name__}: {'; '.join(found)}. "
            "Check that the file belongs to this detector and variant"
        )
    module.load_state_dict({name: expected[name] for name in missing} | dict(weights))


def fetch_weights(name: str, fetch: Callable[[], nn.Module]) -> dict[str, Tensor]:
    """Return the weights of a network that another library downloads.

    Args:
        name: What is fetched, for the error message.
        fetch: Downloads and returns the network.

    Raises:
        ValueError: If the download fails.
    """
    try:
        return fetch().state_dict()
    except Exception as error:
        raise ValueError(
            f"the weights of {name} cannot be downloaded ({error}): fetch the file by other means "
            "and pass its path"
        ) from error
