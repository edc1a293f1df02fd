"""Make the small case of a wireframe in ``tests/parity/cases`` by running what was published.

Usage: ``PYTHONPATH=.:tests python tests/parity/make_wireframe_case.py --gluestick DIR
--glue-factory DIR``, where the folders are checkouts of the repositories and commits below;
scikit-learn has to be installed. Lines, keypoints and descriptors are random.
"""

import argparse
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from parity.published import bare_package, write_case
from torch import Tensor, nn

GLUESTICK_COMMIT = "7d816730ef939caa1c61e2564eceda77304874fa"
GLUE_FACTORY_COMMIT = "2d17e3b3bd7d30f0c828d4c4d3eac4ecefbf283d"
HEIGHT, WIDTH, STRIDE, DIM = 64, 80, 8, 16
RADIUS = 3
NAMES_OF_JUNCTIONS = (
    "junctions",
    "junc_scores",
    "junc_descs",
    "connectivity",
    "new_lines",
    "lines_junc_idx",
    "num_true_junctions",
)


class Given(nn.Module):
    """Stands in for a detector: its output is given."""

    def __init__(self, *_: object, **output: Tensor) -> None:
        super().__init__()
        self.output = output

    def forward(self, _: object) -> dict[str, Tensor]:
        """Return the output, which the caller may change."""
        return {name: value.clone() for name, value in self.output.items()}


def main() -> None:
    """Write the case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gluestick", type=Path, required=True)
    parser.add_argument("--glue-factory", type=Path, required=True)
    arguments = parser.parse_args()
    data = inputs()
    given = {name: torch.from_numpy(value) for name, value in data.items()}
    outputs = {
        **run_gluestick(arguments.gluestick / "gluestick", given),
        **run_glue_factory(arguments.glue_factory / "gluefactory", given),
    }
    meta = {
        "reference": "cvg/GlueStick gluestick/models/wireframe.py; glue-factory "
        "gluefactory/models/lines/wireframe.py (keys gf_*)",
        "commit": GLUESTICK_COMMIT,
        "commit_glue_factory": GLUE_FACTORY_COMMIT,
        "config": {
            "cluster": f"{RADIUS} px",
            "cvg point removal radius": "4 px",
            "glue-factory point removal radius": f"{RADIUS} px",
            "image_shape_hw": [HEIGHT, WIDTH],
            "descriptor_dim": DIM,
            "stride": STRIDE,
        },
        "decision_margins": margins(data),
    }
    write_case("wireframe", data, {name: value.numpy() for name, value in outputs.items()}, meta)
    print(
        meta["decision_margins"],
        {
            name: len(value[0])
            for name, value in outputs.items()
            if name.endswith("junctions") and value.dim() > 1
        },
    )


def inputs() -> dict[str, np.ndarray]:
    """Draw lines of which some meet, keypoints of which some lie at their ends, and descriptors."""
    rng = np.random.default_rng(4)
    size = np.array([WIDTH, HEIGHT]) - 1
    places = rng.uniform(0.05, 0.95, size=(9, 2)) * size
    ends = np.array([(0, 1), (1, 2), (2, 0), (2, 3), (4, 5), (5, 6), (7, 8), (3, 3), (6, 1)])
    lines = places[ends] + rng.uniform(-1.2, 1.2, size=(len(ends), 2, 2))
    near = lines.reshape(-1, 2)[::3] + rng.uniform(-4, 4, size=(6, 2))
    keypoints = np.concatenate([near, rng.uniform(0, 1, size=(14, 2)) * size]).round()
    dense = rng.standard_normal((1, DIM, HEIGHT // STRIDE, WIDTH // STRIDE))
    data = {
        "lines": lines[None],
        "line_scores": rng.uniform(0.5, 20, size=(1, len(lines))),
        "desc_map": dense / np.linalg.norm(dense, axis=1, keepdims=True),
        "keypoints": keypoints.clip(0, size)[None],
        "keypoint_scores": rng.uniform(0.01, 1, size=(1, len(keypoints))),
    }
    return {name: value.astype(np.float32) for name, value in data.items()}


def margins(data: dict[str, np.ndarray]) -> dict[str, float]:
    """Say how far the distances are from the radii that decide."""
    ends = data["lines"].reshape(-1, 2).astype(np.float64)
    between = np.linalg.norm(ends[:, None] - ends[None], axis=-1)
    to_points = np.linalg.norm(ends[:, None] - data["keypoints"][0][None], axis=-1)
    shifted = np.linalg.norm(ends[:, None] - data["keypoints"][0][None] - 0.5, axis=-1)
    return {
        "endpoints_px": float(abs(between - RADIUS).min()),
        "keypoints_px": float(min(abs(to_points - 4).min(), abs(shifted - RADIUS).min())),
    }


def run_gluestick(folder: Path, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """Run the code of GlueStick."""
    sys.modules["pytlsd"] = SimpleNamespace(lsd=None)  # type: ignore[assignment]
    bare_package("published", folder, GLUESTICK_ROOT=folder.parent)
    bare_package("published.models", folder / "models")
    module = importlib.import_module("published.models.wireframe")
    dense = given["desc_map"]
    described = module.sample_descriptors(given["keypoints"].clone(), dense, STRIDE)
    module.SuperPoint = lambda _: Given(
        keypoints=given["keypoints"],
        keypoint_scores=given["keypoint_scores"],
        descriptors=described,
        all_descriptors=dense,
    )
    options = SimpleNamespace(nms_radius=RADIUS)
    junctions = module.lines_to_wireframe(given["lines"], given["line_scores"], dense, options)
    outputs = {"cvg_descs_at_keypoints": described, **named_junctions("l2w_", junctions)}
    for merge in (True, False):
        config = {
            "sp_params": {"force_num_keypoints": False, "descriptor_dim": DIM},
            "wireframe_params": {"merge_points": merge, "merge_line_endpoints": merge},
        }
        found = forward(module.SPWireframeDescriptor(config), given)
        outputs |= {f"fw_{name}" if merge else f"fwnm_{name}": found[name] for name in found}
    return outputs


def run_glue_factory(folder: Path, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """Run the code of glue-factory, where the corner of the image is (0, 0)."""
    detectors: dict[str, Callable[[Any], nn.Module]] = {}
    bare_package("factory", folder)
    bare_package("factory.models", folder / "models", get_model=detectors.__getitem__)
    bare_package("factory.models.lines", folder / "models" / "lines")
    module = importlib.import_module("factory.models.lines.wireframe")
    dense, keypoints = given["desc_map"], given["keypoints"] + 0.5
    detectors["points"] = lambda _: Given(
        keypoints=keypoints,
        keypoint_scores=given["keypoint_scores"],
        descriptors=module.sample_descriptors_corner_conv(keypoints, dense, STRIDE).mT,
        dense_descriptors=dense,
    )
    detectors["lines"] = lambda _: Given(
        lines=given["lines"],
        line_scores=given["line_scores"],
        valid_lines=torch.ones_like(given["line_scores"], dtype=torch.bool),
    )
    junctions = module.lines_to_wireframe(
        given["lines"],
        given["line_scores"],
        dense,
        s=STRIDE,
        nms_radius=RADIUS,
        force_num_lines=False,
        max_num_lines=None,
    )
    outputs = named_junctions("gf_l2w_", junctions)
    for merge in (True, False):
        config = {
            "point_extractor": {"name": "points"},
            "line_extractor": {"name": "lines"},
            "wireframe_params": {"merge_line_endpoints": merge},
        }
        found = forward(module.WireframeExtractor(config), given)
        prefix = "gf_fw_" if merge else "gf_fwnm_"
        outputs |= {f"{prefix}{name}": value for name, value in found.items()}
    return outputs


def forward(extractor: nn.Module, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """Run a wireframe extractor on copies of what is given."""
    data = {name: given[name].clone() for name in ("lines", "line_scores")}
    data["valid_lines"] = torch.ones_like(data["line_scores"], dtype=torch.bool)
    data["image"] = torch.zeros(1, 1, HEIGHT, WIDTH)
    with torch.no_grad():
        found: dict[str, Tensor] = extractor.eval()(data)
    return found


def named_junctions(prefix: str, values: tuple[Any, ...]) -> dict[str, Tensor]:
    """Name what merging lines returns, of which some are lists with one entry per image."""
    return {
        prefix + name: value
        if isinstance(value, Tensor)
        else torch.stack([torch.as_tensor(entry) for entry in value])
        for name, value in zip(NAMES_OF_JUNCTIONS, values, strict=True)
    }


if __name__ == "__main__":
    main()
