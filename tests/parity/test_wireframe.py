"""Wireframes against cvg/GlueStick and glue-factory."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from parity.goldens import Case, case_folders, load_case, tolerance
from torch import Tensor

from gluestick.features.points.sampling import sample_descriptors, sample_map
from gluestick.types import Features, Wireframe
from gluestick.wireframe import WireframeConfig, build_wireframe

NAMES_OF_JUNCTIONS = (
    "junctions",
    "junc_scores",
    "connectivity",
    "new_lines",
    "lines_junc_idx",
    "num_true_junctions",
)
IMPLEMENTATIONS = {"": "cvg", "gf_": "glue-factory"}

pytestmark = pytest.mark.parametrize("folder", case_folders("G2"), ids=lambda folder: folder.name)


def image_size(case: Case) -> Tensor:
    height, width = case.meta["config"]["image_shape_hw"]
    return torch.tensor([[width, height]])


def sampler_of(case: Case, prefix: str, *, merge: bool) -> Callable[[Tensor], Tensor]:
    """Return the rule by which the reference samples descriptors at line endpoints."""
    dense = case.inputs["desc_map"][0]
    stride = case.meta["config"]["stride"]
    map_size = torch.tensor([dense.shape[2], dense.shape[1]])
    if prefix == "gf_":
        return lambda positions: sample_descriptors(dense, positions / stride - 0.5)
    if merge:
        return lambda positions: sample_descriptors(
            dense, align_corners(positions, map_size, stride)
        )
    factor = map_size / image_size(case)[0]
    return lambda positions: sample_map(dense, (positions * factor).round(), mode="nearest")


def align_corners(positions: Tensor, map_size: Tensor, stride: int) -> Tensor:
    """Convert pixels to positions in a map of which the corners are the image's."""
    fraction = (positions - stride / 2 + 0.5) / (map_size * stride - stride / 2 - 0.5)
    return fraction * (map_size - 1)


def wireframe_of(case: Case, prefix: str, *, merge: bool) -> Wireframe:
    inputs = case.inputs
    keypoints = inputs["keypoints"] + (0.5 if prefix == "gf_" else 0.0)
    describe_keypoints = sampler_of(case, prefix, merge=True)
    features = Features(
        image_size=image_size(case),
        keypoints=keypoints,
        keypoint_scores=inputs["keypoint_scores"],
        descriptors=describe_keypoints(keypoints[0])[None],
        keypoint_mask=torch.ones(keypoints.shape[:2], dtype=torch.bool),
        lines=inputs["lines"],
        line_scores=inputs["line_scores"],
        line_mask=torch.ones(inputs["lines"].shape[:2], dtype=torch.bool),
        describe=(sampler_of(case, prefix, merge=merge),),
    )
    return build_wireframe(features, config_of(case, prefix, merge=merge))


def config_of(case: Case, prefix: str, *, merge: bool) -> WireframeConfig:
    """Read the radii; where cvg did not merge endpoints, it kept all keypoints as well."""
    recorded = case.meta["config"]
    removal = first_number(recorded[f"{IMPLEMENTATIONS[prefix]} point removal radius"])
    return WireframeConfig(
        merge=merge,
        junction_radius=first_number(recorded["cluster"]),
        keypoint_radius=None if prefix == "" and not merge else removal,
    )


def first_number(text: str) -> float:
    found = re.search(r"\d+(\.\d+)?", text)
    assert found, text
    return float(found.group())


def descriptor_rows(case: Case, name: str, prefix: str) -> Tensor:
    """Return [1, M, D], which cvg stores channels first."""
    stored = case.outputs[name]
    return stored if prefix == "gf_" else stored.mT


def adjacency(wireframe: Wireframe, size: int) -> Tensor:
    connected = torch.eye(size, dtype=torch.bool)
    connected[wireframe.edge_index[0], wireframe.edge_index[1]] = True
    return connected[None]


@pytest.mark.parametrize("prefix", list(IMPLEMENTATIONS))
def test_junctions(folder: Path, prefix: str) -> None:
    case = load_case(folder)
    expected = {name: case.outputs[f"{prefix}l2w_{name}"] for name in NAMES_OF_JUNCTIONS}
    wireframe = wireframe_of(case, prefix, merge=True)
    count = int(expected["num_true_junctions"])
    assert wireframe.num_junctions.tolist() == [count]
    assert torch.equal(wireframe.line_junctions, expected["lines_junc_idx"])
    assert torch.equal(adjacency(wireframe, count), expected["connectivity"])

    def check(actual: Tensor, name: str, values: Tensor) -> None:
        atol = tolerance(case.meta, f"{prefix}l2w_{name}", floor=1e-4)
        torch.testing.assert_close(actual, values, atol=atol, rtol=0)

    check(wireframe.keypoints[:, :count], "junctions", expected["junctions"])
    check(wireframe.lines, "new_lines", expected["new_lines"])
    best = case.inputs["line_scores"].max() + 1e-8  # these runs were given raw line scores
    check(wireframe.keypoint_scores[:, :count] * best, "junc_scores", expected["junc_scores"])
    check(
        wireframe.descriptors[:, :count],
        "junc_descs",
        descriptor_rows(case, f"{prefix}l2w_junc_descs", prefix),
    )


@pytest.mark.parametrize("merge", [True, False], ids=["merged", "apart"])
@pytest.mark.parametrize("prefix", list(IMPLEMENTATIONS))
def test_wireframe(folder: Path, prefix: str, merge: bool) -> None:
    case = load_case(folder)
    run = f"{prefix}fw_" if merge else f"{prefix}fwnm_"
    wireframe = wireframe_of(case, prefix, merge=merge)
    assert torch.equal(wireframe.num_junctions, case.outputs[f"{run}num_junctions"])
    assert torch.equal(wireframe.line_junctions, case.outputs[f"{run}lines_junc_idx"])
    assert torch.equal(wireframe.line_mask, case.outputs[f"{run}valid_lines"])
    if merge:
        expected = case.outputs[f"{run}pl_associativity"]
        assert torch.equal(adjacency(wireframe, expected.shape[1]), expected)
    for name, actual in {
        "keypoints": wireframe.keypoints,
        "keypoint_scores": wireframe.keypoint_scores,
        "lines": wireframe.lines,
        "orig_lines": wireframe.detected_lines,
        "line_scores": wireframe.line_scores,
    }.items():
        expected = case.outputs[f"{run}{name}"]
        atol = tolerance(case.meta, f"{run}{name}", floor=1e-4)
        torch.testing.assert_close(actual, expected, atol=atol, rtol=0)
    torch.testing.assert_close(
        wireframe.descriptors,
        descriptor_rows(case, f"{run}descriptors", prefix),
        atol=tolerance(case.meta, f"{run}descriptors", floor=1e-4),
        rtol=0,
    )


def test_keypoint_descriptors(folder: Path) -> None:
    case = load_case(folder)
    describe = sampler_of(case, "", merge=True)
    actual = describe(case.inputs["keypoints"][0]).numpy()
    expected = case.outputs["cvg_descs_at_keypoints"][0].T.numpy()
    np.testing.assert_allclose(actual, expected, atol=1e-5)
