"""The metrics are those of glue-factory."""

import numpy as np
import pytest
import torch
from kornia.geometry.homography import find_homography_dlt
from parity.goldens import Case, case_folders, load_case
from torch import Tensor
from torch.testing import assert_close

from gluestick.geometry.epipolar import (
    essential_from_pose,
    fundamental_from_essential,
    symmetric_epipolar_distance,
    symmetric_epipolar_distance_matrix,
)
from gluestick.geometry.homography import homography_corner_error
from gluestick.geometry.points import to_homogeneous
from gluestick.supervision.geometry_metrics import (
    error_auc,
    precision_at,
    relative_pose_error,
    symmetric_homography_error,
    symmetric_reprojection_error,
)
from gluestick.supervision.match_metrics import (
    match_accuracy,
    match_outcomes,
    match_precision,
    match_recall,
    precision_recall,
)
from gluestick.supervision.reprojection import DepthPair
from gluestick.supervision.rules import GroundTruthConfig
from gluestick.types import Camera, Pose

ROUNDED = 5.1e-5  # the reference rounds areas to four decimals


@pytest.fixture(params=case_folders("G6"), ids=lambda folder: folder.name)
def case(request: pytest.FixtureRequest) -> Case:
    return load_case(request.param)


def matched_points(case: Case, prefix: str = "") -> tuple[Tensor, Tensor, Tensor]:
    matched = case.inputs["m0"] > -1
    partners = case.inputs[f"{prefix}pts1"][case.inputs["m0"][matched]]
    return case.inputs[f"{prefix}pts0"][matched], partners, case.inputs["ms0"][matched]


def normalized(points: np.ndarray, K: np.ndarray) -> np.ndarray:
    return (points - K[:2, 2]) / K.diagonal()[:2]


def epipolar_geometry(case: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    names = ("R_0to1", "t_0to1", "K0", "K1")
    R, t, K0, K1 = (case.inputs[name].double().numpy() for name in names)
    E = essential_from_pose(Pose(R=R, t=t))
    return E, fundamental_from_essential(E, Camera(K=K0), Camera(K=K1)), K0, K1


def test_area_under_error_curve(case: Case) -> None:
    thresholds = case.inputs["auc_thresholds"].tolist()
    for name in ("a", "b"):
        areas = error_auc(case.inputs[f"auc_errors_{name}"].numpy(), thresholds)
        expected = case.outputs[f"auc_{name}"].tolist()
        assert areas == pytest.approx(expected, abs=ROUNDED)
    single = case.outputs["auc_single_err0.5_th1"].tolist()
    assert error_auc([0.5], [1.0]) == pytest.approx(single, abs=ROUNDED)
    above = case.outputs["auc_all_above"].tolist()
    assert error_auc([30.0, 40.0], [20.0]) == pytest.approx(above, abs=ROUNDED)


def test_homography_errors(case: Case) -> None:
    size = tuple(case.inputs["H_image_size"].tolist())
    errors = homography_corner_error(case.inputs["H_est"], case.inputs["H_gt"], image_size=size)
    assert_close(errors.float(), case.outputs["H_corner_error"], rtol=1e-4, atol=1e-3)
    points, H = (case.inputs["pts0"], case.inputs["pts1"]), case.inputs["H_gt"][0]
    errors = symmetric_homography_error(*points, H)
    # The reference divides by z + 1e-5 for all pairs, and inverts H through a singular value
    # decomposition in single precision, off by up to 0.11 px, for matches.
    all_pairs = case.outputs["sym_homography_error_all"][0]
    assert_close(errors, all_pairs.diagonal(), rtol=0, atol=5e-3)
    assert_close(errors, case.outputs["sym_homography_error"], rtol=0, atol=0.3)


def test_matches_under_a_homography(case: Case) -> None:
    points0, points1, scores = matched_points(case)
    H, size = case.inputs["H_gt"][0], tuple(case.inputs["H_image_size"].tolist())
    errors = symmetric_homography_error(points0, points1, H).numpy()
    assert len(errors) == case.outputs["evalH_num_matches"]
    for threshold in (1, 3):
        expected = case.outputs[f"evalH_prec@{threshold}px"].item()
        assert precision_at(errors, threshold) == pytest.approx(expected, abs=1e-6)
    estimate = find_homography_dlt(points0[None], points1[None], scores[None])[0]
    error = homography_corner_error(estimate, H, image_size=size).item()
    assert error == pytest.approx(case.outputs["evalH_H_error_dlt"].item(), abs=1e-2)


def test_pose_errors(case: Case) -> None:
    poses = (case.inputs[name].numpy() for name in ("R_est", "t_est", "R_gt", "t_gt"))
    rotation, translation = relative_pose_error(*poses)
    assert rotation == pytest.approx(case.outputs["pose_R_err_deg_f64"].numpy(), abs=1e-6)
    assert translation == pytest.approx(case.outputs["pose_t_err_deg_f64"].numpy(), abs=1e-6)


def test_epipolar_distances(case: Case) -> None:
    E, F, K0, K1 = epipolar_geometry(case)
    points = case.inputs["epi_pts0"].double().numpy(), case.inputs["epi_pts1"].double().numpy()
    rays = normalized(points[0], K0), normalized(points[1], K1)
    found = {
        "E_0to1": E,
        "F_0to1": F,
        "epi_essential_squared": symmetric_epipolar_distance(*rays, E, squared=True),
        "epi_essential_unsquared": symmetric_epipolar_distance(*rays, E),
        "generalized_epi_dist_pairs_essential": symmetric_epipolar_distance(*rays, E),
        "epi_fundamental_unsquared_px": symmetric_epipolar_distance(*points, F),
        "epi_fundamental_all_px": symmetric_epipolar_distance_matrix(*points, F),
    }
    # For matches the reference clamps the squared slopes of epipolar lines to 1e-6, which
    # matters where a matrix in px is small.
    lines = to_homogeneous(points[0]) @ F.T, to_homogeneous(points[1]) @ F
    steep = np.all([(each[:, :2] ** 2).sum(1) > 1e-6 for each in lines], axis=0)
    for name, actual in found.items():
        expected = case.outputs[name][0].numpy()
        if name == "epi_fundamental_unsquared_px":
            actual, expected = actual[steep], expected[steep]
        atol = 1e-3 if name.endswith("px") else 1e-6
        np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=atol)


def test_matches_under_a_pose(case: Case) -> None:
    E, _, K0, K1 = epipolar_geometry(case)
    points0, points1, _ = (value.double().numpy() for value in matched_points(case, "epi_"))
    assert len(points0) == case.outputs["evalE_num_matches"]
    errors = symmetric_epipolar_distance(normalized(points0, K0), normalized(points1, K1), E)
    for threshold in ("1e-4", "5e-4", "1e-3"):
        expected = case.outputs[f"evalE_epi_prec@{threshold}"].item()
        assert precision_at(errors, float(threshold)) == pytest.approx(expected, abs=1e-6)


def test_reprojection_error(case: Case) -> None:
    values = case.inputs
    width, height, fx, fy, cx, cy = values["dr_camera"].tolist()
    K = torch.tensor([[[fx, 0, cx - 0.5], [0, fy, cy - 0.5], [0, 0, 1]]])
    size = torch.tensor([[width, height]])
    pair = DepthPair(
        depth0=values["dr_depth0"],
        depth1=values["dr_depth1"],
        image_size0=size,
        image_size1=size,
        K0=K,
        K1=K,
        R_0to1=torch.eye(3)[None],
        t_0to1=values["dr_t"][None],
    )
    points = values["dr_pts0"][None] - 0.5, values["dr_pts1"][None] - 0.5
    config = GroundTruthConfig(glue_factory_numerics=True)
    errors = symmetric_reprojection_error(*points, pair, config=config)
    valid = case.outputs["dr_valid"]
    expected = case.outputs["dr_sym_reproj_error"]
    assert_close(errors[valid], expected[valid], rtol=1e-4, atol=1e-3)
    assert_close(errors.isfinite(), valid)


@pytest.mark.parametrize("kind", ["", "line_"])
def test_match_metrics(case: Case, kind: str) -> None:
    matches = case.inputs[f"mm_{kind}matches0"]
    labels = case.inputs[f"mm_gt_{kind}matches0"]
    scores = case.inputs[f"mm_{kind}matching_scores0"]
    precision, recall = match_precision(matches, labels), match_recall(matches, labels)
    assert_close(precision, case.outputs[f"mm_{kind}match_precision"])
    assert_close(recall, case.outputs[f"mm_{kind}match_recall"])
    assert_close(match_accuracy(matches, labels), case.outputs[f"mm_{kind}accuracy"])

    # What the reference reports as average precision is the precision of all matches times
    # the recall gained after the first of the ranking.
    first = scores.argmax(-1, keepdim=True)
    num_true = (labels > -1).sum(-1)
    hit = ((matches == labels) & (labels > -1)).gather(-1, first)[..., 0]
    product = precision * (recall - hit / num_true)
    assert_close(product, case.outputs[f"mm_{kind}average_precision"])


def test_precision_recall_over_images(case: Case) -> None:
    pairs = zip(
        case.inputs["mm_line_matches0"],
        case.inputs["mm_gt_line_matches0"],
        case.inputs["mm_line_matching_scores0"],
        strict=True,
    )
    outcomes = [match_outcomes(*(value.numpy() for value in pair)) for pair in pairs]
    for index, outcome in enumerate(outcomes):
        assert outcome.correct.tolist() == case.outputs[f"pr_{index}_tp"].tolist()
        assert (~outcome.correct).tolist() == case.outputs[f"pr_{index}_fp"].tolist()
        assert outcome.scores == pytest.approx(case.outputs[f"pr_{index}_scores"].numpy())
        assert outcome.num_true == case.outputs[f"pr_{index}_num_pos"]
    curve = precision_recall(outcomes)
    assert curve.recall == pytest.approx(case.outputs["pr_curve_recall"].numpy())
    assert curve.precision == pytest.approx(case.outputs["pr_curve_precision"].numpy())
    assert 100 * curve.average_precision == pytest.approx(case.outputs["pr_AP"].item())
