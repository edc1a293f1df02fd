import torch
from export.onnx.pairs import as_nodes, as_segments
from torch import Tensor

from gluestick.export.onnx.line_head import LineHeadGraph, smallest_by_squaring
from gluestick.export.onnx.matcher import MatcherGraph
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.pipeline import PointLineMatcher


def test_the_graphs_match_as_the_network_does(
    small_matcher: PointLineMatcher, leuven: tuple[Tensor, Tensor]
) -> None:
    """Padding among the junctions changes nothing, and scores agree to 1e-3."""
    network = small_matcher.network
    assert isinstance(network, LightGlueStick)
    wireframes = [small_matcher.extract(image) for image in leuven]
    expected = small_matcher.match(*wireframes)
    junctions0, junctions1 = (int(wireframe.num_junctions[0]) for wireframe in wireframes)
    head = LineHeadGraph(network.line_head, threshold=network.config.line_filter_threshold)
    with torch.no_grad():
        nodes = [as_nodes(wireframe, padding=5) for wireframe in wireframes]
        points = MatcherGraph(network)(*nodes)
        segments = [as_segments(wireframe) for wireframe in wireframes]
        guides = points.guides0, points.guides1, points.guide_scores
        lines = head(*segments, points.similarity, *guides)
    partners = expected.matches0[:, junctions0:]
    assert torch.equal(points.matches, torch.where(partners < 0, -1, partners - junctions1))
    assert (points.matches > -1).sum() > 30
    assert expected.junction_matches0 is not None
    assert torch.equal(
        points.junction_matches[:, :junctions0], expected.junction_matches0[:, :junctions0]
    )
    torch.testing.assert_close(
        points.log_assignment,
        expected.log_assignment[:, junctions0:, junctions1:],
        atol=1e-3,
        rtol=0,
    )
    assert torch.equal(lines.line_matches, expected.line_matches0)
    assert (lines.line_matches > -1).sum() > 5
    torch.testing.assert_close(lines.line_scores, expected.line_matching_scores0, atol=1e-3, rtol=0)
    assert expected.line_pair_indices is not None
    judged = lines.same_line[tuple(expected.line_pair_indices.T)]
    torch.testing.assert_close(judged, expected.line_pair_probabilities, atol=1e-3, rtol=0)


def test_smallest_eigenvectors_without_a_decomposition() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(4, 30, 9, generator=generator, dtype=torch.float64)
    rows[1:, :, 8] = rows[1:, :, 7] + 1e-3 * rows[1:, :, 8]
    moments = rows.mT @ rows
    vectors = smallest_by_squaring(moments)
    expected = torch.linalg.eigh(moments).eigenvectors[..., 0]
    torch.testing.assert_close((vectors * expected).sum(1).abs(), torch.ones(4).double())
