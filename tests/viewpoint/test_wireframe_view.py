from dataclasses import replace

import torch

from gluestick.images.rotation import turn_points, turned_frame
from gluestick.types import ViewFrame, Wireframe
from gluestick.viewpoint.wireframe_view import wireframe_in_view

SIZES = [[60, 50], [51, 64], [50, 50]]


def make_wireframe(turns: list[float], *, nodes: int = 5, lines: int = 2) -> Wireframe:
    """Images that were extracted turned."""
    batch_size = len(turns)
    generator = torch.Generator().manual_seed(0)

    def positions(*shape: int) -> torch.Tensor:
        return torch.randint(0, 400, (batch_size, *shape, 2), generator=generator) / 8

    return Wireframe(
        image_size=torch.tensor(SIZES[:batch_size]),
        keypoints=positions(nodes),
        keypoint_scores=torch.rand(batch_size, nodes, generator=generator),
        descriptors=torch.rand(batch_size, nodes, 4, generator=generator),
        keypoint_mask=torch.ones(batch_size, nodes, dtype=torch.bool),
        num_junctions=torch.full((batch_size,), min(2 * lines, nodes)),
        lines=positions(lines, 2),
        detected_lines=positions(lines, 2),
        line_scores=torch.rand(batch_size, lines, generator=generator),
        line_mask=torch.ones(batch_size, lines, dtype=torch.bool),
        line_junctions=torch.zeros(batch_size, lines, 2, dtype=torch.int64),
        edge_index=torch.zeros(2, 0, dtype=torch.int64),
        views=tuple(
            turned_frame(size, angle=turn)
            for size, turn in zip(SIZES[:batch_size], turns, strict=True)
        ),
    )


def test_positions_and_sizes_are_those_of_each_view() -> None:
    turns = [90.0, 0.0, 180.0]
    wireframe = make_wireframe(turns)
    seen = wireframe_in_view(wireframe)
    assert seen.image_size.tolist() == [[50, 60], [51, 64], [50, 50]]
    assert seen.image_size.dtype == torch.int64
    for name in ("keypoints", "lines", "detected_lines"):
        for row, (size, turn) in enumerate(zip(wireframe.image_size.tolist(), turns, strict=True)):
            expected = turn_points(getattr(wireframe, name)[row], image_size=size, angle=turn)
            assert torch.equal(getattr(seen, name)[row], expected)
    for name in ("descriptors", "keypoint_scores", "line_scores", "line_junctions", "edge_index"):
        assert getattr(seen, name) is getattr(wireframe, name)


def test_turned_images_keep_the_size_against_which_lengths_are_measured() -> None:
    turns = [45.0, -30.0, 170.0]
    wireframe = make_wireframe(turns)
    seen = wireframe_in_view(wireframe)
    assert torch.equal(seen.image_size, wireframe.image_size)
    for row, (size, turn) in enumerate(zip(wireframe.image_size.tolist(), turns, strict=True)):
        away = wireframe.keypoints[row] - (wireframe.image_size[row] - 1) / 2
        angle = torch.tensor(turn).deg2rad()
        cosine, sine = angle.cos(), angle.sin()
        turned = away @ torch.stack([cosine, sine, -sine, cosine]).view(2, 2)
        expected = turned + (torch.tensor(size) - 1) / 2
        torch.testing.assert_close(seen.keypoints[row], expected, rtol=0, atol=2e-5)


def test_any_affine_view() -> None:
    zoom = ViewFrame(affine=((2.0, 0.5, -30.0), (0.0, 1.5, 12.0)), size=(300, 120))
    wireframe = replace(make_wireframe([0.0]), views=(zoom,))
    seen = wireframe_in_view(wireframe)
    x, y = wireframe.keypoints.unbind(-1)
    expected = torch.stack([2 * x + 0.5 * y - 30, 1.5 * y + 12], dim=-1)
    torch.testing.assert_close(seen.keypoints, expected)
    assert seen.image_size.tolist() == [[300, 120]]


def test_the_view_is_the_image_then() -> None:
    seen = wireframe_in_view(make_wireframe([90.0, 30.0, 0.0]))
    assert seen.views == (None, None, None)
    assert wireframe_in_view(seen) is seen


def test_without_views_nothing_is_copied() -> None:
    wireframe = make_wireframe([0.0, 360.0, -360.0])
    assert wireframe.views == (None, None, None)
    assert wireframe_in_view(wireframe) is wireframe


def test_an_empty_wireframe() -> None:
    seen = wireframe_in_view(make_wireframe([90.0], nodes=0, lines=0))
    assert seen.keypoints.shape == (1, 0, 2)
    assert seen.lines.shape == (1, 0, 2, 2)
    assert seen.image_size.tolist() == [[50, 60]]
