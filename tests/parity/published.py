"""Running published code from a checkout, to make small cases."""

import json
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from parity.goldens import CASES


def bare_package(name: str, folder: Path, **attributes: object) -> ModuleType:
    """Register a package without running its ``__init__``, which needs more than is there."""
    package = ModuleType(name)
    package.__path__ = [str(folder)]
    vars(package).update(attributes)
    sys.modules[name] = package
    return package


def write_case(
    name: str,
    inputs: Mapping[str, np.ndarray],
    outputs: Mapping[str, np.ndarray],
    meta: Mapping[str, Any],
) -> Path:
    """Write a case; the shapes and the versions are added to its meta data.

    Returns:
        Its folder.
    """
    folder = CASES / name
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / "inputs.npz", **inputs)
    np.savez_compressed(folder / "outputs.npz", **outputs)
    arrays = {
        f"{group}/{key}": f"{value.dtype} {list(value.shape)}"
        for group, values in (("inputs", inputs), ("outputs", outputs))
        for key, value in values.items()
    }
    versions = {
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
    text = json.dumps({**meta, "arrays": arrays, "versions": versions}, indent=1)
    (folder / "meta.json").write_text(text + "\n", encoding="utf-8")
    return folder
