"""Make the small cases of networks in ``tests/parity/cases`` by running what was published.

Usage: ``PYTHONPATH=.:tests python tests/parity/make_network_cases.py --gluestick DIR
--lightgluestick DIR``, where the folders are checkouts of the repositories and commits below.
Inputs and weights are random: nothing published is in the cases but what the code computes.
"""

import argparse
import hashlib
import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from omegaconf import OmegaConf
from parity.goldens import NO_BATCHES, keyed_state_dict
from parity.networks import recorded
from parity.published import bare_package, write_case
from torch import Tensor, nn

GLUESTICK = ("cvg/GlueStick", "7d816730ef939caa1c61e2564eceda77304874fa")
LIGHTGLUESTICK = ("aubingazhib/LightGlueStick", "98630b94a9055821883c4b76c651fb3cc9d3f347")
SIZES = np.array([[320.0, 240.0], [240.0, 300.0]], dtype=np.float32)
INPUT_DIM = 48
GLUESTICK_CONFIG = {
    "input_dim": INPUT_DIM,
    "descriptor_dim": 32,
    "keypoint_encoder": [16, 32],
    "GNN_layers": ["self", "cross"] * 3,
}
GLUESTICK_GAINS = [
    ["encoder.6.", 0.1],
    ["mlp.3.", 0.06],
    ["mlp.0.", 2.0],
    ["attn.proj.", 8.0],
    ["proj_n", 8.0],
    ["final_", 10.0],
]
LIGHTGLUESTICK_CONFIG = {
    "input_dim": INPUT_DIM,
    "descriptor_dim": 32,
    "n_layers": 3,
    "flash": False,
    "max_num_lines": 20,
}
LIGHTGLUESTICK_GAINS = [
    ["ffn.3.", 0.1],
    ["Wqkv", 4.0],
    ["to_qk", 4.0],
    ["final_proj", 10.0],
    ["posenc", 1.4142],
]


def main() -> None:
    """Write every case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gluestick", type=Path, required=True)
    parser.add_argument("--lightgluestick", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    bare_package("published", arguments.gluestick / "gluestick" / "models")
    published = importlib.import_module("published.gluestick")
    for line_attention in (False, True):
        config = {**GLUESTICK_CONFIG, "line_attention": line_attention}
        name = "gluestick_line_attention" if line_attention else "gluestick"
        network = published.GlueStick(config)
        data = inputs(seed=9, batch_size=2, channels_last=False)
        source = (*GLUESTICK, "gluestick/models/gluestick.py::GlueStick")
        make_case(name, network, data, source=source, gains=GLUESTICK_GAINS)
    bare_package("published_light", arguments.lightgluestick / "lightgluestick")
    published = importlib.import_module("published_light.lightgluestick")
    with mock.patch("torch.hub.load_state_dict_from_url", return_value={"model": {}}):
        network = published.LightGlueStick(LIGHTGLUESTICK_CONFIG)
    data = inputs(seed=11, batch_size=1, channels_last=True)
    source = (*LIGHTGLUESTICK, "lightgluestick/lightgluestick.py::LightGlueStick")
    make_case("lightgluestick", network, data, source=source, gains=LIGHTGLUESTICK_GAINS)


def inputs(*, seed: int, batch_size: int, channels_last: bool) -> dict[str, np.ndarray]:
    """Draw pairs of wireframes that share most of their nodes."""
    rng = np.random.default_rng(seed)
    num_nodes, num_junctions = (22, 19), (10, 9)
    unit = rng.uniform(0.05, 0.95, size=(batch_size, 24, 2))
    shared = rng.standard_normal((batch_size, 24, INPUT_DIM))
    data: dict[str, np.ndarray] = {}
    for side in (0, 1):
        # Some nodes are missing on each side, and both sides have an order of their own.
        chosen = [rng.permutation(24)[: num_nodes[side]] for _ in range(batch_size)]
        rows = np.arange(batch_size)[:, None], np.array(chosen)
        keypoints = unit[rows] * SIZES[side] + rng.normal(0, 1, size=(*rows[1].shape, 2))
        descriptors = shared[rows] + 0.3 * rng.standard_normal((*rows[1].shape, INPUT_DIM))
        descriptors /= np.linalg.norm(descriptors, axis=-1, keepdims=True)
        ends = np.stack([random_tree(rng, num_junctions[side]) for _ in chosen])
        keypoints = keypoints.astype(np.float32)
        scores = rng.uniform(0.1, 1, size=ends.shape[:2])
        if not channels_last:
            descriptors = descriptors.swapaxes(1, 2)
        data |= {
            f"keypoints{side}": keypoints,
            f"keypoint_scores{side}": rng.uniform(0.05, 1, keypoints.shape[:2]).astype(np.float32),
            f"descriptors{side}": np.ascontiguousarray(descriptors, dtype=np.float32),
            f"lines{side}": keypoints[np.arange(batch_size)[:, None, None], ends],
            f"lines_junc_idx{side}": ends,
            f"line_scores{side}": scores.astype(np.float32),
            f"image_size{side}": np.repeat(SIZES[side][None], batch_size, axis=0),
        }
    return data


def random_tree(rng: np.random.Generator, num_junctions: int) -> np.ndarray:
    """Draw lines [J - 1, 2] between junctions, of which some have several and no two are equal."""
    order = rng.permutation(num_junctions)
    ends = [rng.permutation([order[i], order[rng.integers(i)]]) for i in range(1, num_junctions)]
    return rng.permutation(np.array(ends))


def make_case(
    name: str,
    network: nn.Module,
    data: Mapping[str, np.ndarray],
    *,
    source: tuple[str, str, str],
    gains: list[list[Any]],
) -> None:
    """Run a network in single and in double precision, and write what belongs to the case."""
    repository, commit, part = source
    excluded = [key for key in network.state_dict() if key == "confidence_thresholds"]
    recipe = {
        "default_gain": 1.0,
        "key_gain": gains,
        "excluded": excluded,
        "keys_file": f"{name}/keys.json",
    }
    weights = keyed_state_dict(network.state_dict(), {"weights": recipe})
    network.load_state_dict(weights)
    network.eval()
    outputs, precise = (run(network, data, dtype) for dtype in (torch.float32, torch.float64))
    meta = {
        "reference": f"{repository} {part}, eval mode, CPU",
        "commit": commit,
        "config": OmegaConf.to_container(network.conf),
        "weights": {**recipe, "sha256_of_keyed_values": digest(weights, excluded)},
        "float32_vs_float64_max_abs": {
            key: float(abs(value.astype(np.float64) - precise[key]).max())
            for key, value in outputs.items()
        },
        "decision_margins": {
            kind: margins(precise[f"{kind}log_assignment"], network.conf.filter_threshold)
            for kind in ("", "line_")
        },
        "counts": {key: int((outputs[key] > -1).sum()) for key in ("matches0", "line_matches0")},
    }
    folder = write_case(name, data, outputs, meta)
    keys = {key: {"shape": list(value.shape)} for key, value in network.state_dict().items()}
    lines = (f"{json.dumps(key)}: {json.dumps(entry)}" for key, entry in keys.items())
    (folder / "keys.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(name, meta["decision_margins"], meta["counts"])


def run(
    network: nn.Module, data: Mapping[str, np.ndarray], dtype: torch.dtype
) -> dict[str, np.ndarray]:
    """Run a network and return its outputs and some values on the way, by name."""
    network.to(dtype)
    given: dict[str, Any] = {
        key: torch.from_numpy(value.copy()).to(dtype if value.dtype == np.float32 else torch.int64)
        for key, value in data.items()
    }
    given |= {f"view{side}": {"image_size": given[f"image_size{side}"]} for side in (0, 1)}
    is_gluestick = hasattr(network, "gnn")
    hooked = (
        ("kenc", "lenc", "gnn.layers.0", "gnn.line_layers.0", "gnn.layers.1", "gnn")
        if is_gluestick
        else ("posenc", "transformers.0.self_attn", "transformers.0", "transformers.2")
    )
    with torch.no_grad(), recorded(network, *hooked) as calls:
        outputs = network(given)
    values = {key: value for key, value in outputs.items() if isinstance(value, Tensor)}
    values |= gluestick_values(calls) if is_gluestick else lightgluestick_values(calls)
    network.float()
    return {key: value.numpy() for key, value in values.items()}


def gluestick_values(calls: Mapping[str, list[tuple[tuple, Any]]]) -> dict[str, Tensor]:
    """Name what a run of GlueStick passed through its modules."""
    values = {}
    for side in (0, 1):
        values |= {
            f"mid_kpts_norm{side}": calls["kenc"][side][0][0],
            f"mid_kenc{side}": calls["kenc"][side][1],
            f"mid_lenc{side}": calls["lenc"][side][1],
            f"mid_after_self0_{side}": calls["gnn.layers.0"][0][1][side],
            f"mid_after_line0_{side}": calls["gnn.line_layers.0"][0][1][side],
            f"mid_after_cross0_{side}": calls["gnn.layers.1"][0][1][side],
            f"mid_final_{side}": calls["gnn"][0][1][side],
        }
    return values


def lightgluestick_values(calls: Mapping[str, list[tuple[tuple, Any]]]) -> dict[str, Tensor]:
    """Name what a run of LightGlueStick passed through its modules."""
    values = {}
    for side in (0, 1):
        values |= {
            f"mid_kpts_norm{side}": calls["posenc"][side][0][0],
            f"mid_posenc{side}": calls["posenc"][side][1],
            f"mid_after_layer0_{side}": calls["transformers.0"][0][1][side],
            f"mid_final_{side}": calls["transformers.2"][0][1][side],
        }
    return values


def margins(log_assignment: np.ndarray, threshold: float) -> dict[str, float]:
    """Say how far the decisions are from being others."""
    inner = log_assignment[:, :-1, :-1]
    best, columns = -np.sort(-inner, axis=2), -np.sort(-inner, axis=1)
    return {
        "row_top1_minus_top2_min": float((best[:, :, 0] - best[:, :, 1]).min()),
        "col_top1_minus_top2_min": float((columns[:, 0] - columns[:, 1]).min()),
        "min_abs_maxprob_minus_threshold": float(abs(np.exp(best[:, :, 0]) - threshold).min()),
    }


def digest(weights: Mapping[str, Tensor], excluded: list[str]) -> str:
    """Return the SHA-256 of the keyed values, as the tests check it."""
    found = hashlib.sha256()
    for key in sorted(weights):
        if key not in excluded and not key.endswith(NO_BATCHES):
            found.update(weights[key].numpy().astype("<f4").tobytes())
    return found.hexdigest()


if __name__ == "__main__":
    main()
