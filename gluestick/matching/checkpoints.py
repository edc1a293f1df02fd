"""The published layouts of matching networks, under the names used here."""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from gluestick.storage.parameters import CheckpointError, StateDict, read_parameters

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

_UNUSED = re.compile(r"^(confidence_thresholds|log_assignment\.\d+\.r)$")
"""Entries that follow from the configuration or, in LightGlue's file for DISK, are never used."""

_MATCHABLE_LOGIT = 20.0
"""A logit so large that its log-sigmoid is 0 in single precision."""


def read_checkpoint(path: str | Path) -> tuple[StateDict, dict[str, str]]:
    """Read the parameters of a matching network and give them the names used here.

    Reads what :func:`gluestick.storage.parameters.read_parameters` reads, in the published
    layouts of GlueStick, LightGlueStick and LightGlue.

    Args:
        path: The file.

    Returns:
        The parameters, with half precision converted to single, and the metadata of a
        safetensors file.

    Raises:
        CheckpointError: If the file is missing, truncated, no checkpoint, or holds pickled
            objects.
    """
    published, metadata = read_parameters(path)
    return rename_published(published), metadata


def rename_published(published: Mapping[str, Tensor]) -> StateDict:
    """Give parameters in a published layout the names used here.

    Args:
        published: The parameters of GlueStick, LightGlueStick or LightGlue by published name,
            possibly among those of a feature extractor.

    Returns:
        The parameters of the matcher; what follows from the configuration or is never used is
        left out.
    """
    if any(_MATCHER.match(key) for key in published):
        published = {key: value for key, value in published.items() if _MATCHER.match(key)}
    state_dict = {}
    for key, value in published.items():
        for pattern, replacement in _RENAMES:
            key = pattern.sub(replacement, key)
        if not _UNUSED.match(key):
            state_dict[key] = value
    return _without_last_confidence(state_dict)


def _without_last_confidence(state_dict: StateDict) -> StateDict:
    """Leave out the confidence of the last layer, which LightGlueStick stores but cannot use."""
    layers = [int(key.split(".")[1]) for key in state_dict if key.startswith("transformers.")]
    unused = f"token_confidence.{max(layers, default=-1)}."
    return {key: value for key, value in state_dict.items() if not key.startswith(unused)}


def is_lightglue(state_dict: Mapping[str, Tensor]) -> bool:
    """Return whether these are the parameters of LightGlue, which has no line part."""
    heads = [key for key in state_dict if key.startswith("log_assignment.")]
    return bool(heads) and not any(".endp_matchability." in key for key in heads)


def lightgluestick_from_lightglue(state_dict: Mapping[str, Tensor]) -> StateDict:
    """Add a line part to the parameters of LightGlue, to start LightGlueStick from.

    Endpoints of lines are compared as points are, and every endpoint counts as matchable:
    the matchability that LightGlue has learnt for points is wrong for lines. Line layers need
    no parameters at first, see :func:`~gluestick.matching.added_line_layers.add_line_layers`.

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
