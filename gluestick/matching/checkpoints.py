"""Files of network parameters: reading published layouts, loading, writing."""

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from gluestick.files import atomic_path

StateDict = dict[str, Tensor]

_WRAPPERS = ("model", "state_dict")
"""Names under which training checkpoints keep the parameters."""

_MATCHER = re.compile(r"^(module\.)?matcher\.")
"""Marks the matcher in a training checkpoint that also holds the feature extractor."""

_RENAMES = (
    (re.compile(r"^(module\.|matcher\.)+"), ""),
    (re.compile(r"^(self_attn|line_layer|cross_attn)\.(\d+)\."), r"transformers.\2.\1."),
)
"""From the names in published files to the names here.

The files of GlueStick, LightGlueStick and LightGlue come bare or as training checkpoints
(prefix ``matcher.``, after distributed training ``module.``). Early LightGlue files number
the attention blocks by kind, later ones by layer.
"""

_CONSTANTS = re.compile(r"^confidence_thresholds$")
"""Entries that follow from the configuration."""

_COUNTER = "num_batches_tracked"
"""A counter of batch norm that inference does not use and some files lack."""

_MATCHABLE_LOGIT = 20.0
"""A logit so large that its log-sigmoid is 0 in single precision."""

_LISTED = 8


class CheckpointError(ValueError):
    """A file does not hold parameters, or they do not fit the network."""


def read_checkpoint(path: str | Path) -> tuple[StateDict, dict[str, str]]:
    """Read the parameters of a matching network and give them the names used here.

    Reads safetensors files and PyTorch files with plain tensors, in the published layouts of
    GlueStick, LightGlueStick and LightGlue; code in a file is never run.

    Args:
        path: The file.

    Returns:
        The parameters, with half precision converted to single, and the metadata of a
        safetensors file.

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
    return rename_published(content), metadata


def _wrapped(content: Mapping[str, Any]) -> Any:
    return next((content[name] for name in _WRAPPERS if name in content), None)


def _read(path: Path) -> tuple[Any, dict[str, str]]:
    with path.open("rb") as file:
        start = file.read(16)
    try:
        if start[8:9] == b"{":
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
    """Let training checkpoints contain numpy numbers, such as a validation loss."""
    if not hasattr(torch.serialization, "safe_globals"):
        return nullcontext()
    scalar: Any = np.float64(0).__reduce__()[0]
    names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
    kinds = [type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8", "?")]
    allowed: list[Any] = [*((scalar, name) for name in names), np.dtype, *kinds]
    return torch.serialization.safe_globals(allowed)


def rename_published(published: Mapping[str, Tensor]) -> StateDict:
    """Give parameters in a published layout the names used here.

    Args:
        published: The parameters of GlueStick, LightGlueStick or LightGlue by published name,
            possibly among those of a feature extractor.

    Returns:
        The parameters of the matcher, with half precision converted to single; what follows
        from the configuration or is never used is left out.
    """
    if any(_MATCHER.match(key) for key in published):
        published = {key: value for key, value in published.items() if _MATCHER.match(key)}
    state_dict = {}
    for key, value in published.items():
        for pattern, replacement in _RENAMES:
            key = pattern.sub(replacement, key)
        if not _CONSTANTS.match(key):
            half = value.dtype in (torch.float16, torch.bfloat16)
            state_dict[key] = value.float() if half else value
    return _without_last_confidence(state_dict)


def _without_last_confidence(state_dict: StateDict) -> StateDict:
    """Leave out the confidence of the last layer, which LightGlueStick stores but cannot use."""
    layers = [int(key.split(".")[1]) for key in state_dict if key.startswith("transformers.")]
    unused = f"token_confidence.{max(layers, default=-1)}."
    return {key: value for key, value in state_dict.items() if not key.startswith(unused)}


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


def is_lightglue(state_dict: Mapping[str, Tensor]) -> bool:
    """Return whether these are the parameters of LightGlue, which has no line part."""
    heads = [key for key in state_dict if key.startswith("log_assignment.")]
    return bool(heads) and not any(".endp_matchability." in key for key in heads)


def lightgluestick_from_lightglue(state_dict: Mapping[str, Tensor]) -> StateDict:
    """Add a line part to the parameters of LightGlue, to start LightGlueStick from.

    Endpoints of lines are compared as points are, and every endpoint counts as matchable:
    the matchability that LightGlue has learnt for points is wrong for lines. Line layers need
    no parameters at first, see :func:`~gluestick.matching.lightgluestick.add_line_layers`.

    Args:
        state_dict: The parameters of LightGlue, as :func:`read_checkpoint` names them.

    Returns:
        The parameters of LightGlueStick without line layers.

    Raises:
        CheckpointError: If these are not LightGlue's parameters.
    """
    if not is_lightglue(state_dict):
        raise CheckpointError(
            "needs the parameters of LightGlue, found others or ones that have a line part"
        )
    lines: StateDict = {}
    for key in state_dict:
        if not re.fullmatch(r"log_assignment\.\d+\.final_proj\..*", key):
            continue
        lines[key.replace("final_proj", "final_proj_line")] = state_dict[key].clone()
        matchability = state_dict[key.replace("final_proj", "matchability")]
        fill = _MATCHABLE_LOGIT if key.endswith("bias") else 0.0
        lines[key.replace("final_proj", "endp_matchability")] = torch.full_like(matchability, fill)
    return {**state_dict, **lines}


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
