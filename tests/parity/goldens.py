"""Reference outputs of published implementations: where they lie and how to read them.

Every case is a folder with `inputs.npz`, `outputs.npz` and `meta.json`. Small cases of the
networks and of the wireframe are in `cases` beside this file; `make_network_cases.py` and
`make_wireframe_case.py` have made them. Further ones are found
under `$GLUESTICK_GOLDENS` (default: `../shared/goldens` beside the repository), and a test of a
kind of which there is no case is skipped:

    @pytest.mark.parametrize("folder", case_folders("G3"), ids=lambda folder: folder.name)
    def test_parity(folder):
        case = load_case(folder)  # skips without the reference data
        network.load_state_dict(keyed_state_dict(network.state_dict(), case.meta))
        ...
        assert_close(actual, case.outputs["logits"], atol=tolerance(case.meta, "logits"), rtol=0)
"""

import hashlib
import json
import math
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

REPOSITORY = Path(__file__).resolve().parents[2]
GOLDENS = Path(
    os.environ.get("GLUESTICK_GOLDENS", REPOSITORY.parent / "shared" / "goldens")
).resolve()

CASES = Path(__file__).resolve().parent / "cases"

NO_BATCHES = "num_batches_tracked"


@dataclass(frozen=True)
class Case:
    """One case: arrays as tensors, by the names that `meta["arrays"]` documents."""

    name: str
    folder: Path
    meta: dict[str, Any]
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]


def case_folders(*prefixes: str) -> list[Path]:
    """Return the case folders of the given kinds, sorted by name.

    The kinds are G1 GlueStick, G2 wireframe, G3 SuperPoint, G4 ground truth, G5
    LightGlueStick, G6 metrics and G7 losses. Where there is none, one folder that does not
    exist stands in, so that `load_case` skips the test with a reason instead of silently
    collecting nothing.
    """
    kinds = {prefix.rstrip("_") for prefix in prefixes}
    places = chain(CASES.glob("*/meta.json"), GOLDENS.glob("*/meta.json"))
    found = sorted(meta.parent for meta in places if _kind(meta) in kinds)
    return found or [GOLDENS / f"{'-'.join(sorted(kinds))}_missing"]


def load_case(folder: Path) -> Case:
    """Read a case, or skip the calling test where it is absent."""
    if not (folder / "meta.json").is_file():
        pytest.skip(f"no reference data of this kind in {GOLDENS} (set GLUESTICK_GOLDENS)")
    return Case(
        name=folder.name,
        folder=folder,
        meta=json.loads((folder / "meta.json").read_text(encoding="utf-8")),
        inputs=_arrays(folder / "inputs.npz"),
        outputs=_arrays(folder / "outputs.npz"),
    )


def keyed_state_dict(
    reference_shapes: Mapping[str, Tensor | Sequence[int]], meta: Mapping[str, Any]
) -> dict[str, Tensor]:
    """Return the random weights of a case, which depend on the key names alone.

    Args:
        reference_shapes: The reference implementation's key names with tensors (whose values
            do not matter) or shapes. Excluded keys keep the value of a tensor, and are left
            out where only a shape is given.
        meta: The case's meta data.

    Raises:
        AssertionError: If the SHA-256 of the values is not the recorded one, which means that
            a key or a shape differs from the reference's.
    """
    recipe = meta["weights"]
    excluded = _entry(recipe, "excluded", [])
    overrides = _entry(recipe, "scalar_overrides", {})
    state: dict[str, Tensor] = {}
    digest = hashlib.sha256()
    for key in sorted(reference_shapes):
        given = reference_shapes[key]
        shape = tuple(given.shape) if isinstance(given, Tensor) else tuple(given)
        if key in excluded:
            if isinstance(given, Tensor):
                state[key] = given.clone()
        elif key.endswith(NO_BATCHES) or (
            isinstance(given, Tensor) and not given.is_floating_point()
        ):
            state[key] = torch.zeros(shape, dtype=torch.int64)
        else:
            values = _keyed_values(key, shape, recipe)
            if key in overrides:
                values = np.full(shape, overrides[key], dtype=np.float32)
            else:
                digest.update(values.astype("<f4").tobytes())
            state[key] = torch.from_numpy(values)
    recorded = {value for name, value in recipe.items() if name.startswith("sha256")}
    assert not recorded or digest.hexdigest() in recorded, (
        "the keyed weights differ from the reference's: compare the key names and shapes with "
        f"{recipe.get('keys_file')}"
    )
    return state


def tolerance(meta: Mapping[str, Any], name: str, *, floor: float = 1e-5) -> float:
    """Return the absolute tolerance of an output.

    It is ten times the difference between a float32 and a float64 run of the reference, but
    at least `floor`. An output without a record gets the largest recorded tolerance.
    """
    measured = meta.get("float32_vs_float64_max_abs") or {}
    noise = measured.get(name, max(measured.values(), default=0.0))
    return max(10 * float(noise), floor)


def _kind(meta_path: Path) -> str:
    """Classify a case by what it holds, else by the prefix of its folder."""
    meta = json.loads(meta_path.read_text(encoding="utf-8"))
    reference = str(meta.get("reference", "")).lower()
    arrays = meta.get("arrays", {})
    if any("loss" in name for name in arrays):
        return "G7"
    for word, kind in (
        ("superpoint", "G3"),
        ("lightgluestick", "G5"),
        ("gt_generation", "G4"),
        ("metrics", "G6"),
        ("::gluestick", "G1"),
        ("wireframe", "G2"),
    ):
        if word in reference:
            return kind
    return meta_path.parent.name.split("_")[0]


def _arrays(path: Path) -> dict[str, Tensor]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: torch.from_numpy(np.array(archive[name])) for name in archive.files}


def _entry(recipe: Mapping[str, Any], name: str, default: Any) -> Any:
    """Look up an entry whose name may carry a remark in parentheses."""
    return next((value for key, value in recipe.items() if key.split(" (")[0] == name), default)


def _keyed_values(key: str, shape: tuple[int, ...], recipe: Mapping[str, Any]) -> np.ndarray:
    if shape == ():
        return np.ones((), dtype=np.float32)
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode())))
    normal = generator.standard_normal(shape).astype(np.float32)
    if key.endswith("running_mean"):
        return np.float32(0.1) * normal
    if key.endswith("running_var"):
        return np.float32(1) + np.float32(0.1) * np.abs(normal)
    if len(shape) >= 2:
        gains = _entry(recipe, "key_gain", [])
        gain = next((gain for part, gain in gains if part in key), recipe["default_gain"])
        return normal * np.float32(gain / math.sqrt(math.prod(shape[1:])))
    if key.endswith("weight"):
        return np.float32(1) + np.float32(0.1) * normal
    return np.float32(0.02) * normal
