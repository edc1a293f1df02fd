import pytest
import torch

from gluestick.images.rotation import turn_points
from gluestick.types import Wireframe
from gluestick.viewpoint.wireframe_view import turn_wireframe


def make_wireframe(batch_size: int = 3, *, nodes: int = 5, lines: int = 2) -> Wireframe:
    generator = torch.Generator().manual_seed(0)

    def positions(*shape: int) -> torch.Tensor:
        return torch.randint(0, 400, (batch_size, *shape, 2), generator=generator) / 8

    return Wireframe(
        image_size=torch.tensor([[60, 50], [51, 64], [50, 50]])[:batch_size],
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
    )


def test_positions_and_sizes_are_turned_image_by_image() -> None:
    wireframe = make_wireframe()
    turns = [90.0, 0.0, 30.0]
    turned = turn_wireframe(wireframe, turns=turns)
    assert turned.image_size.tolist() == [[50, 60], [51, 64], [69, 69]]
    for name in ("keypoints", "lines", "detected_lines"):
        for row, (size, turn) in enumerate(zip(wireframe.image_size.tolist(), turns, strict=True)):
            expected = turn_points(getattr(wireframe, name)[row], image_size=size, angle=turn)
            assert torch.equal(getattr(turned, name)[row], expected)
    for name in ("descriptors", "keypoint_scores", "line_scores", "line_junctions", "edge_index"):
        assert getattr(turned, name) is getattr(wireframe, name)


def test_quarter_turns_and_back() -> None:
    wireframe = make_wireframe()
    turned = turn_wireframe(wireframe, turns=[90.0, 180.0, -90.0])
    back = turn_wireframe(turned, turns=[-90.0, 180.0, 90.0])
    for name in ("image_size", "keypoints", "lines", "detected_lines"):
        assert torch.equal(getattr(back, name), getattr(wireframe, name))


def test_without_turns_nothing_is_copied() -> None:
    wireframe = make_wireframe()
    assert turn_wireframe(wireframe, turns=None) is wireframe
    assert turn_wireframe(wireframe, turns=[0.0, 360.0, -360.0]) is wireframe


def test_an_empty_wireframe() -> None:
    turned = turn_wireframe(make_wireframe(1, nodes=0, lines=0), turns=[90.0])
    assert turned.keypoints.shape == (1, 0, 2)
    assert turned.lines.shape == (1, 0, 2, 2)
    assert turned.image_size.tolist() == [[50, 60]]


def test_errors() -> None:
    with pytest.raises(ValueError, match="one entry per image, 3, found 1"):
        turn_wireframe(make_wireframe(), turns=[90.0])
    with pytest.raises(ValueError, match="finite"):
        turn_wireframe(make_wireframe(1), turns=[float("inf")])
