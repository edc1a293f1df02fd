import dataclasses

import numpy as np
import pytest
import torch

from gluestick.checks import ShapeError
from gluestick.types import Camera, Lines, Matches, Pose, ViewFrame, Wireframe, pad_and_stack


def make_wireframe(batch_size: int = 1, num_nodes: int = 4, num_lines: int = 2) -> Wireframe:
    lines = torch.arange(batch_size * num_lines * 4.0).reshape(batch_size, num_lines, 2, 2)
    return Wireframe(
        image_size=torch.tensor([[64, 48]] * batch_size),
        keypoints=torch.arange(batch_size * num_nodes * 2.0).reshape(batch_size, num_nodes, 2),
        keypoint_scores=torch.ones(batch_size, num_nodes),
        descriptors=torch.ones(batch_size, num_nodes, 8),
        keypoint_mask=torch.ones(batch_size, num_nodes, dtype=torch.bool),
        num_junctions=torch.full((batch_size,), min(3, num_nodes)),
        lines=lines,
        detected_lines=lines + 0.5,
        line_scores=torch.ones(batch_size, num_lines),
        line_mask=torch.ones(batch_size, num_lines, dtype=torch.bool),
        line_junctions=torch.zeros(batch_size, num_lines, 2, dtype=torch.int64),
        edge_index=torch.zeros(2, 0, dtype=torch.int64),
    )


def make_matches(**changes: torch.Tensor | None) -> Matches:
    values: dict[str, torch.Tensor | None] = {
        "matches0": torch.tensor([[-1, 2, -1, 0]]),
        "matches1": torch.tensor([[3, -1, 1, -1]]),
        "matching_scores0": torch.rand(1, 4),
        "matching_scores1": torch.rand(1, 4),
        "line_matches0": torch.tensor([[1, -1]]),
        "line_matches1": torch.tensor([[-1, 0]]),
        "line_matching_scores0": torch.rand(1, 2),
        "line_matching_scores1": torch.rand(1, 2),
        "log_assignment": torch.zeros(1, 5, 5),
        "line_log_assignment": torch.zeros(1, 3, 3),
    }
    return Matches(**(values | changes))  # type: ignore[arg-type]


def test_matched_keypoints_and_lines_correspond() -> None:
    wireframe0, wireframe1 = make_wireframe(), make_wireframe()
    matches = make_matches()
    points0, points1 = matches.matched_keypoints(wireframe0, wireframe1)
    assert points0.tolist() == wireframe0.keypoints[0, [1, 3]].tolist()
    assert points1.tolist() == wireframe1.keypoints[0, [2, 0]].tolist()
    lines0, lines1 = matches.matched_lines(wireframe0, wireframe1)
    assert lines0.tolist() == wireframe0.detected_lines[0, [0]].tolist()
    assert lines1.tolist() == wireframe1.detected_lines[0, [1]].tolist()


def test_junctions_are_reported_apart() -> None:
    wireframe0, wireframe1 = make_wireframe(), make_wireframe()
    none0, none1 = make_matches().matched_junctions(wireframe0, wireframe1)
    assert none0.shape == none1.shape == (0, 2)
    matches = make_matches(
        junction_matches0=torch.tensor([[2, -1, -1, -1]]),
        junction_matches1=torch.tensor([[-1, -1, 0, -1]]),
        junction_matching_scores0=torch.rand(1, 4),
        junction_matching_scores1=torch.rand(1, 4),
    )
    junctions0, junctions1 = matches.matched_junctions(wireframe0, wireframe1)
    assert junctions0.tolist() == wireframe0.keypoints[0, [0]].tolist()
    assert junctions1.tolist() == wireframe1.keypoints[0, [2]].tolist()


def test_a_batch_needs_an_index() -> None:
    values = {
        field.name: torch.cat([getattr(make_matches(), field.name)] * 2)
        for field in dataclasses.fields(Matches)
        if not field.name.startswith(("junction", "line_pair"))
    }
    wireframe = make_wireframe(batch_size=2)
    with pytest.raises(ValueError, match="2 pairs"):
        Matches(**values).matched_keypoints(wireframe, wireframe)
    points0, _ = Matches(**values).matched_keypoints(wireframe, wireframe, index=1)
    assert points0.tolist() == wireframe.keypoints[1, [1, 3]].tolist()


def with_line_pairs() -> Matches:
    return make_matches(
        line_pair_indices=torch.tensor([[0, 0, 0], [0, 0, 1], [0, 1, 1]]),
        line_pair_probabilities=torch.tensor([0.9, 0.3, 0.6]),
        line_pair_overlaps=torch.tensor([0.5, 0.5, 1.0]),
    )


def test_lines_are_matched_many_to_many() -> None:
    pairs, probabilities = with_line_pairs().line_pairs()
    assert pairs.tolist() == [[0, 0], [1, 1]]
    torch.testing.assert_close(probabilities, torch.tensor([0.9, 0.6]))
    assert with_line_pairs().line_pairs(threshold=0.2)[0].tolist() == [[0, 0], [0, 1], [1, 1]]
    few, _ = with_line_pairs().line_pairs(threshold=0.2, max_per_line=1)
    assert few.tolist() == [[0, 0], [1, 1]]
    kept = with_line_pairs().keep_line_pairs(threshold=0.7)
    assert kept.line_pair_overlaps is not None
    assert kept.line_pair_overlaps.tolist() == [0.5]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"threshold": 1.5}, "from 0 to 1"), ({"max_per_line": 0}, "a number from 1")],
)
def test_options_of_line_pairs_are_checked(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        with_line_pairs().line_pairs(**options)


def test_matches_without_line_pairs_say_so() -> None:
    with pytest.raises(ValueError, match="such as aliked-lsd"):
        make_matches().line_pairs()


def test_shapes_are_checked_together() -> None:
    with pytest.raises(ShapeError, match=r"Matches\.log_assignment"):
        make_matches(log_assignment=torch.zeros(1, 5, 4))
    with pytest.raises(ShapeError, match=r"Lines\.scores"):
        Lines(lines=torch.zeros(3, 2, 2), scores=torch.zeros(2))
    with pytest.raises(ShapeError, match=r"Camera\.K"):
        Camera(K=np.eye(4))
    with pytest.raises(ShapeError, match=r"Pose\.t"):
        Pose(R=np.eye(3), t=np.zeros(4))


def test_junction_mask_marks_the_first_nodes() -> None:
    assert make_wireframe().junction_mask.tolist() == [[True, True, True, False]]
    assert make_wireframe(num_nodes=0, num_lines=0).junction_mask.shape == (1, 0)


def test_to_moves_every_tensor() -> None:
    moved = make_wireframe().to("meta")
    values = [getattr(moved, field.name) for field in dataclasses.fields(moved)]
    assert all(value.device.type == "meta" for value in values if isinstance(value, torch.Tensor))


def test_views_are_none_unless_given_and_are_kept() -> None:
    wireframe = make_wireframe(batch_size=2)
    assert wireframe.views == (None, None)
    view = ViewFrame(affine=((0, -1, 47), (1, 0, 0)), size=(48, 64))
    seen = dataclasses.replace(wireframe, views=(None, view))
    assert seen.to("meta").views == seen.views
    assert dataclasses.replace(seen, line_scores=wireframe.line_scores).views == seen.views
    with pytest.raises(ShapeError, match="views need one entry per image, 2, found 1"):
        dataclasses.replace(wireframe, views=(view,))


def test_values_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_wireframe().keypoints = torch.zeros(1, 4, 2)  # type: ignore[misc]


def test_pad_and_stack() -> None:
    stacked = pad_and_stack([torch.ones(1, 2), torch.ones(3, 2), torch.ones(0, 2)], fill=-1)
    assert stacked.shape == (3, 3, 2)
    assert stacked.sum(dim=(1, 2)).tolist() == [2 - 4, 6, -6]
