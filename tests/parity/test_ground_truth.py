"""The true matches are those of glue-factory, whose pixel (0, 0) has its centre at (0.5, 0.5)."""

import re

import pytest
import torch
from parity.goldens import Case, case_folders, load_case, tolerance
from torch import Tensor
from torch.testing import assert_close

from gluestick.geometry.lines import points_on_lines
from gluestick.supervision.line_neighbours import is_beside, supervised_frames
from gluestick.supervision.line_truth import line_truth_from_depth, line_truth_from_homography
from gluestick.supervision.point_truth import point_truth_from_depth, point_truth_from_homography
from gluestick.supervision.reprojection import (
    DepthPair,
    reproject_by_depth,
    reproject_by_homography,
    sample_depth,
)
from gluestick.supervision.rules import GroundTruthConfig, TrueMatches

FOLDERS = case_folders("G4")
HALF_PIXEL = torch.tensor([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]])

OPTIONS = {
    "pos_th": "positive_distance",
    "neg_th": "negative_distance",
    "npts": "num_samples",
    "dist_th": "line_distance",
    "overlap_th": "min_overlap",
    "min_visibility_th": "min_visibility",
}
WITHOUT_NUMBERS = {
    "pos3neg5": {"positive_distance": 3.0, "negative_distance": 5.0},
    "matcher_default": {"positive_distance": 3.0, "negative_distance": 3.0},
}


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def case(request: pytest.FixtureRequest) -> Case:
    return load_case(request.param)


def labelled(case: Case, *, lines: bool) -> list[str]:
    """The prefixes of the labels of lines or of points in a case."""
    names = [name[: -len("_matches0")] for name in case.outputs if name.endswith("_matches0")]
    return [name for name in names if name.startswith("line") == lines]


def rule(case: Case, name: str, *, numerics: bool = True) -> GroundTruthConfig:
    """The rule that gave the labels of this prefix, from the text that describes it."""
    thresholds = dict(WITHOUT_NUMBERS.get(name, {}))
    for described, text in case.meta["config"].items():
        parts = described.strip("_").split("_")
        if described != name and not (name.startswith("pt") and set(parts) <= set(name.split("_"))):
            continue
        for option, number in re.findall(r"(\w+)=([\d.]+)", text):
            if option in OPTIONS:
                value = int(number) if option == "npts" else float(number)
                thresholds[OPTIONS[option]] = value
            elif option == "cc_th":  # compared with the squared error
                thresholds["cycle_error"] = float(number) ** 0.5
    if "epi" in name.split("_"):  # compared with the threshold of negatives
        thresholds["epipolar_distance"] = thresholds.get("negative_distance", 5.0)
    return GroundTruthConfig(glue_factory_numerics=numerics, **thresholds)


def homography(case: Case) -> Tensor:
    """The homography between pixel centres, in double precision."""
    if "H_0to1" not in case.inputs:
        pytest.skip("not a case with a homography")
    shift = HALF_PIXEL.double()
    return torch.linalg.inv(shift) @ case.inputs["H_0to1"].double() @ shift


def depth_pair(case: Case) -> DepthPair:
    if "depth0" not in case.inputs:
        pytest.skip("not a case with depth")
    values = case.inputs
    batch_size = len(values["depth0"])

    def batched(name: str, rank: int) -> Tensor:
        value = values[name]
        return value if value.ndim == rank else value.expand(batch_size, *value.shape)

    size0, size1 = (
        torch.tensor([values[name].shape[:0:-1]] * batch_size) for name in ("depth0", "depth1")
    )
    return DepthPair(
        depth0=values["depth0"],
        depth1=values["depth1"],
        image_size0=size0,
        image_size1=size1,
        K0=torch.linalg.inv(HALF_PIXEL) @ batched("K0", 3),
        K1=torch.linalg.inv(HALF_PIXEL) @ batched("K1", 3),
        R_0to1=batched("R_0to1", 3),
        t_0to1=batched("t_0to1", 2),
    )


def image_sizes(case: Case) -> dict[str, Tensor]:
    height, width = case.meta["config"]["image_hw"]
    size = torch.tensor([[width, height]] * len(case.inputs["lines0"]))
    return {"image_size0": size, "image_size1": size}


def assert_labels(case: Case, name: str, actual: TrueMatches) -> None:
    assert_close(actual.matches0, case.outputs[f"{name}_matches0"])
    assert_close(actual.matches1, case.outputs[f"{name}_matches1"])
    pairs = actual.matches0[:, :, None] == torch.arange(actual.matches1.shape[1])
    assert_close(pairs, case.outputs[f"{name}_assignment"])


def true_lines(case: Case, config: GroundTruthConfig) -> TrueMatches:
    lines = case.inputs["lines0"] - 0.5, case.inputs["lines1"] - 0.5
    masks = {"mask0": case.inputs["valid_lines0"], "mask1": case.inputs["valid_lines1"]}
    if "depth0" in case.inputs:
        return line_truth_from_depth(*lines, depth_pair(case), **masks, config=config)
    sizes = image_sizes(case)
    return line_truth_from_homography(*lines, homography(case), **sizes, **masks, config=config)


def test_points(case: Case) -> None:
    keypoints = case.inputs["kp0"] - 0.5, case.inputs["kp1"] - 0.5
    names = labelled(case, lines=False)
    assert names
    for name in names:
        config = rule(case, name)
        if "depth0" in case.inputs:
            actual = point_truth_from_depth(*keypoints, depth_pair(case), config=config)
        else:
            actual = point_truth_from_homography(*keypoints, homography(case), config=config)
        assert_labels(case, name, actual)


def test_lines(case: Case) -> None:
    names = labelled(case, lines=True)
    assert names
    for name in names:
        assert_labels(case, name, true_lines(case, rule(case, name)))


def test_lines_with_exact_arithmetic(case: Case) -> None:
    for name in labelled(case, lines=True):
        actual = true_lines(case, rule(case, name, numerics=False))
        equal = actual.matches0 == case.outputs[f"{name}_matches0"]
        assert equal.float().mean() > 0.9


def test_points_through_a_homography(case: Case) -> None:
    H_0to1 = homography(case)
    directions = (("kp0", "0to1", H_0to1), ("kp1", "1to0", torch.linalg.inv(H_0to1)))
    config = GroundTruthConfig(glue_factory_numerics=True)
    for keypoints, direction, H in directions:
        carried = reproject_by_homography(case.inputs[keypoints] - 0.5, H, config=config)
        name = f"pos3neg5_proj_{direction}"
        atol = tolerance(case.meta, name)
        assert_close(carried.positions + 0.5, case.outputs[name], atol=atol, rtol=0)


def test_samples_beside_lines(case: Case) -> None:
    H_0to1 = homography(case)
    config = GroundTruthConfig(glue_factory_numerics=True, line_distance=1e6)
    fractions = torch.linspace(0, 1, config.num_samples)
    lines0, lines1 = case.inputs["lines0"] - 0.5, case.inputs["lines1"] - 0.5
    directions = (
        (lines1, torch.linalg.inv(H_0to1), "line_mid_pts1_0", lines0, "0"),
        (lines0, H_0to1, "line_mid_pts0_1", lines1, "1"),
    )
    for sampled, H, name, lines, index in directions:
        samples = points_on_lines(sampled, fractions).flatten(1, 2)
        positions = reproject_by_homography(samples, H, config=config).positions
        atol = tolerance(case.meta, name)
        assert_close(positions + 0.5, case.outputs[name], atol=atol, rtol=0)

        positions = positions.unflatten(1, sampled.shape[1:2] + fractions.shape)[:, None]
        frames = supervised_frames(lines[:, :, None], config=config)
        along, across = frames.coordinates(*positions.unbind(-1))
        atol = tolerance(case.meta, f"line_mid_perp{index}")
        expected = case.outputs[f"line_mid_perp{index}"]
        assert_close(across.abs(), expected, atol=atol, rtol=0)
        beside = is_beside(frames, along, across, config=config)
        assert_close(beside, case.outputs[f"line_mid_over{index}"])


def test_points_through_depth(case: Case) -> None:
    pair = depth_pair(case)
    for index, direction, views in ((0, "0to1", pair), (1, "1to0", pair.reversed())):
        keypoints = case.inputs[f"kp{index}"] - 0.5
        for name in ("pt", "pt_cc"):
            config = rule(case, name)
            carried = reproject_by_depth(keypoints, views, cycle=True, config=config)
            assert_close(carried.visible, case.outputs[f"{name}_visible{index}"])
        found = {
            f"pt_proj_{direction}": carried.positions + 0.5,
            f"pt_depth_keypoints{index}": sample_depth(views.depth0, keypoints, fade_out=True),
        }
        for key, actual in found.items():
            expected, atol = case.outputs[key], tolerance(case.meta, key)
            assert_close(actual, expected, atol=atol, rtol=0, equal_nan=True)
