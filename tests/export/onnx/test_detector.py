import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from gluestick.export.onnx.detector import DetectorGraph
from gluestick.export.onnx.traceable import point_graph
from gluestick.pipeline import PointLineMatcher

MODELS = "aliked-lsd", "xfeat-lsd"


@pytest.fixture(scope="module", params=MODELS)
def matcher(request: pytest.FixtureRequest) -> PointLineMatcher:
    return PointLineMatcher.from_pretrained(request.param, max_num_keypoints=128, max_num_lines=40)


@pytest.fixture(scope="module")
def graph(matcher: PointLineMatcher) -> DetectorGraph:
    assert matcher.extractor is not None
    points = point_graph(matcher.extractor.point_detector)
    assert points is not None
    return DetectorGraph(points, junction_radius=3.0)


def test_a_batch_is_detected_as_single_images_are(
    matcher: PointLineMatcher, graph: DetectorGraph, leuven: tuple[Tensor, Tensor]
) -> None:
    images = [image[:, :231, :310].contiguous() for image in leuven]
    wireframes = [matcher.extract(image) for image in images]
    most = max(wireframe.detected_lines.shape[1] for wireframe in wireframes) + 3
    lines = [
        F.pad(wireframe.detected_lines[0], (0, 0, 0, 0, 0, most - len(wireframe.line_mask[0])))
        for wireframe in wireframes
    ]
    counts = torch.tensor([wireframe.line_mask.sum() for wireframe in wireframes])
    mask = torch.arange(most) < counts[:, None]
    with torch.no_grad():
        found = graph(torch.stack(images), torch.stack(lines), mask, torch.tensor(128))
    for index, wireframe in enumerate(wireframes):
        junctions = int(wireframe.num_junctions[0])
        kept = found.junction_mask[index]
        places = torch.cat([found.junctions[index, kept], found.keypoints[index]])
        described = torch.cat([found.junction_descriptors[index, kept], found.descriptors[index]])
        torch.testing.assert_close(places, wireframe.keypoints[0], atol=1e-3, rtol=0)
        torch.testing.assert_close(described, wireframe.descriptors[0], atol=1e-3, rtol=0)
        scores = wireframe.keypoint_scores[0, junctions:]
        torch.testing.assert_close(found.scores[index], scores, atol=1e-4, rtol=0)
        assert wireframe.side_colors is not None
        colors = found.side_colors[index, : counts[index]]
        torch.testing.assert_close(colors, wireframe.side_colors[0], atol=1e-4, rtol=0)


def test_a_blank_image_has_no_keypoints(graph: DetectorGraph) -> None:
    none = torch.zeros(1, 2, dtype=torch.bool)
    with torch.no_grad():
        found = graph(
            torch.full((1, 3, 64, 96), 0.5), torch.zeros(1, 2, 2, 2), none, torch.tensor(20)
        )
    assert not found.keypoint_mask.any()
    assert not found.junction_mask.any()
    assert found.descriptors.isfinite().all()
