"""SuperPoint against both published implementations."""

import pytest
import torch
from parity.goldens import case_folders, keyed_state_dict, load_case, tolerance
from torch import Tensor

from gluestick.features.points.superpoint import (
    SuperPoint,
    SuperPointConfig,
    score_map,
    suppress_non_maxima,
)
from gluestick.geometry.pixels import corner_to_centre

FOLDERS = case_folders("G3")


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def case(request):
    return load_case(request.param)


def is_open(case) -> bool:
    return "open" in case.meta["reference"] + case.name


def build(case, max_num_keypoints: int | None = None) -> SuperPoint:
    options = case.meta["config"]
    if max_num_keypoints is None and (options.get("max_num_keypoints") or -1) > 0:
        max_num_keypoints = options["max_num_keypoints"]
    detector = SuperPoint(
        SuperPointConfig(
            variant="open" if is_open(case) else "magicleap",
            max_num_keypoints=max_num_keypoints,
            detection_threshold=options["detection_threshold"],
            nms_radius=options["nms_radius"],
            border=max(options["remove_borders"] or 0, 0),
        )
    )
    state = keyed_state_dict(detector.network.state_dict(), case.meta)
    detector.network.load_state_dict(state)
    return detector


def assert_equal_to(case, name: str, actual: Tensor, expected: Tensor | None = None) -> None:
    expected = case.outputs[name] if expected is None else expected
    torch.testing.assert_close(actual, expected, atol=tolerance(case.meta, name), rtol=0)


def rows(case, name: str) -> Tensor:
    """Return descriptors as [N, 256], whichever way round the reference has them."""
    descriptors = case.outputs[name][0]
    return descriptors if is_open(case) and name != "query_descriptors" else descriptors.T


def row_major(keypoints: Tensor) -> Tensor:
    """Return the order that lists pixels row by row."""
    x, y = keypoints.long().unbind(1)
    return (y * (int(x.max()) + 1) + x).argsort()


def expected_keypoints(case, name: str) -> Tensor:
    keypoints = case.outputs[name][0]
    return corner_to_centre(keypoints) if is_open(case) else keypoints


def test_dense_maps(case):
    detector = build(case)
    with torch.no_grad():
        output = detector.network(case.inputs["image"])
    scores = score_map(output.logits)
    assert_equal_to(case, "features", output.features)
    assert_equal_to(case, "logits", output.logits)
    assert_equal_to(case, "all_descriptors", output.descriptors)
    assert_equal_to(case, "dense_score", scores[None])
    suppressed = suppress_non_maxima(scores, radius=detector.config.nms_radius)
    assert_equal_to(case, "nms_score", suppressed[None])


def test_keypoints_and_descriptors(case):
    points = build(case).detect(case.inputs["image"][0].expand(3, -1, -1))
    expected = expected_keypoints(case, "keypoints")
    order, expected_order = row_major(points.keypoints), row_major(expected)
    torch.testing.assert_close(points.keypoints[order], expected[expected_order])
    scores = case.outputs["keypoint_scores"][0, expected_order]
    assert_equal_to(case, "keypoint_scores", points.scores[order], scores)
    descriptors = rows(case, "descriptors")[expected_order]
    assert_equal_to(case, "descriptors", points.descriptors[order], descriptors)


def test_strongest_keypoints(case):
    if "keypoints_top50" not in case.outputs:
        pytest.skip("the case has no limited number of keypoints")
    count = case.outputs["keypoints_top50"].shape[1]
    points = build(case, count).detect(case.inputs["image"][0].expand(3, -1, -1))
    torch.testing.assert_close(points.keypoints, expected_keypoints(case, "keypoints_top50"))
    assert_equal_to(case, "keypoint_scores_top50", points.scores[None])
    assert_equal_to(case, "descriptors_top50", points.descriptors, rows(case, "descriptors_top50"))


def test_given_positions(case):
    points = build(case).detect(case.inputs["image"][0].expand(3, -1, -1))
    described = points.describe(case.inputs["query_keypoints"][0])
    assert_equal_to(case, "query_descriptors", described, rows(case, "query_descriptors"))


def test_colour(case):
    detector = build(case)
    image = case.inputs["image_rgb"]
    gray = (image * image.new_tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    with torch.no_grad():
        scores = score_map(detector.network(gray).logits)
    assert_equal_to(case, "dense_score_rgb", scores[None])
    points = detector.detect(image[0])
    x, y = points.keypoints.long().unbind(1)
    assert_equal_to(
        case, "dense_score_rgb", points.scores, case.outputs["dense_score_rgb"][0, y, x]
    )
