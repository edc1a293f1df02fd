"""Files of named tensors: reading them without running code, loading all of them, writing."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from gluestick.storage.atomic import atomic_path

StateDict = dict[str, Tensor]

_WRAPPERS = ("model", "state_dict", "model_state_dict", "extractor")
"""Names under which published checkpoints keep the parameters."""

_COUNTER = "num_batches_tracked"
"""A counter of batch norm that inference does not use and some files lack."""

_LISTED = 50


class CheckpointError(ValueError):
    """A file does not hold parameters, or they do not fit the network."""


def read_parameters(path: str | Path) -> tuple[StateDict, dict[str, str]]:
    """Read named tensors from a safetensors file or a PyTorch checkpoint.

    Code in a file is never run. A checkpoint that keeps its parameters one level down, as
    ``{"state_dict": ...}``, is unwrapped.

    Args:
        path: The file.

    Returns:
        The parameters on the CPU, with half precision converted to single, and the metadata of
        a safetensors file.

    Raises:
        CheckpointError: If the file is missing, truncated, no checkpoint, or holds pickled
            objects.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint file {path}: check the path")
    content, metadata = _read(path)
    while isinstance(content, Mapping) and isinstance(_wrapped(content), Mapping):
        content = _wrapped(content)
    if (
        not isinstance(content, Mapping)
        or not content
        or not all(isinstance(value, Tensor) for value in content.values())
    ):
        raise CheckpointError(f"{path} needs parameters by name, found something else")
    half = (torch.float16, torch.bfloat16)
    state_dict = {
        name: value.float() if value.dtype in half else value for name, value in content.items()
    }
    return state_dict, metadata


def read_metadata(path: str | Path) -> dict[str, str]:
    """Return the text that a safetensors file stores beside its tensors.

    Args:
        path: The file; its tensors are not read.

    Returns:
        The text by name; empty where there is none, or no safetensors file.
    """
    path = Path(path)
    if not path.is_file() or not _is_safetensors(path):
        return {}
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except Exception:  # reading the tensors says what is wrong
        return {}


def load_strict(
    network: nn.Module, state_dict: Mapping[str, Tensor], *, source: str | Path
) -> None:
    """Load parameters into a network, all of them and nothing else.

    Args:
        network: The network.
        state_dict: The parameters by name; batch norm's counters may be missing.
        source: Where they come from, for the error message.

    Raises:
        CheckpointError: If a parameter is missing, unexpected or of another shape; the
            message lists them.
    """
    own = network.state_dict()
    problems = {
        "missing": [key for key in own if key not in state_dict and not key.endswith(_COUNTER)],
        "unexpected": [key for key in state_dict if key not in own],
        "of another shape": [
            f"{key} {list(value.shape)} instead of {list(own[key].shape)}"
            for key, value in state_dict.items()
            if key in own and value.shape != own[key].shape
        ],
    }
    lists = [
        f"{len(keys)} {problem}: {', '.join(keys[:_LISTED])}{', ...' * (len(keys) > _LISTED)}"
        for problem, keys in problems.items()
        if keys
    ]
    if lists:
        raise CheckpointError(
            f"the parameters in {source} do not fit {type(network).__name__} as configured. "
            + "; ".join(lists)
        )
    network.load_state_dict({**own, **state_dict})


def save_checkpoint(
    path: str | Path,
    network: nn.Module | Mapping[str, Tensor],
    *,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write parameters to a safetensors file, in one step.

    Args:
        path: The file; one that is there is replaced only once the new one is complete.
        network: The network, or its parameters by name.
        metadata: Text to store beside them, such as the configuration.

    Raises:
        ValueError: If the file cannot be written, for example because the disk is full; the
            earlier file stays intact.
    """
    state_dict = network.state_dict() if isinstance(network, nn.Module) else network
    tensors = {
        key: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for key, value in state_dict.items()
    }
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(save(tensors, metadata=dict(metadata or {})))
    except OSError as error:
        raise CheckpointError(f"the checkpoint {path} cannot be written: {error}") from error


def _wrapped(content: Mapping[str, Any]) -> Any:
    return next((content[name] for name in _WRAPPERS if name in content), None)


def _is_safetensors(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(9)[8:] == b"{"


def _read(path: Path) -> tuple[Any, dict[str, str]]:
    with path.open("rb") as file:
        start = file.read(16)
    try:
        if _is_safetensors(path):
            with safe_open(path, framework="pt") as file:
                content = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
                return content, file.metadata() or {}
        if start.startswith((b"PK", b"\x80")):
            with _numpy_numbers_allowed():
                return torch.load(path, map_location="cpu", weights_only=True), {}
    except Exception as error:
        if "unsupported" in str(error).lower():
            raise CheckpointError(
                f"{path} holds pickled objects, which could run code and are not loaded: save "
                "its tensors alone, best as .safetensors"
            ) from error
        raise CheckpointError(
            f"{path} is damaged or incomplete: fetch the file again ({type(error).__name__})"
        ) from error
    raise CheckpointError(
        f"{path} is not a checkpoint: needs a .safetensors file or one written by torch.save"
    )


def _numpy_numbers_allowed() -> AbstractContextManager[None]:
    """Let training checkpoints contain numpy numbers, such as a validation loss.

    Needs PyTorch 2.6; earlier ones refuse such a file.
    """
    if torch.__version__ < "2.6":
        return nullcontext()
    scalar: Any = np.float64(0).__reduce__()[0]
    names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
    kinds = [type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8", "?")]
    allowed: list[Any] = [*((scalar, name) for name in names), np.dtype, *kinds]
    return torch.serialization.safe_globals(allowed)
