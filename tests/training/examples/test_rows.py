from pathlib import Path

import pytest
import torch
from training.batches import make_batch

from gluestick.matching.line_heads.endpoints import NodeAssignment
from gluestick.matching.line_heads.guidance import PointMatches, in_units
from gluestick.matching.line_heads.same_line_features import NUM_SAME_LINE_FEATURES
from gluestick.training.examples.batches import Batch
from gluestick.training.examples.rows import (
    LineRows,
    RowStore,
    describe_rows,
    join_rows,
    mirrored,
    sort_rows,
    thinned,
)


def make_sample() -> tuple[Batch, NodeAssignment, PointMatches]:
    batch = make_batch()
    positions = in_units(batch.wireframe0.keypoints, batch.wireframe0)
    nodes = NodeAssignment(torch.zeros(1), torch.randn(1, 24, 24), torch.zeros(1), torch.zeros(1))
    weights = torch.ones(positions.shape[:2])
    return batch, nodes, PointMatches(positions, 0.98 * positions + 3, weights)


def test_rows_of_a_batch() -> None:
    batch, nodes, matches = make_sample()
    rows = describe_rows(batch, nodes, matches=matches, keep_negatives=1.0)
    assert rows.features.shape[1] == NUM_SAME_LINE_FEATURES
    assert rows.same.sum() == 12
    assert torch.equal(rows.same, rows.partner)
    assert (rows.weight == 1).all()
    chosen = batch.lines.same[0, rows.line0.long(), rows.line1.long()]
    assert torch.equal(chosen, rows.same)


def test_easy_negatives_stand_for_those_that_are_left_out() -> None:
    batch, nodes, matches = make_sample()
    torch.manual_seed(0)
    every = describe_rows(batch, nodes, matches=matches, keep_negatives=1.0)
    total = 0.0
    for _ in range(40):
        rows = describe_rows(batch, nodes, matches=matches, keep_negatives=0.25)
        assert rows.same.sum() == 12
        total += float(rows.weight.sum()) / 40
    assert total == pytest.approx(len(every.same), rel=0.1)


def test_in_a_mirror_no_line_is_the_same() -> None:
    batch, nodes, matches = make_sample()
    flipped, moved = mirrored(batch, matches)
    rows = describe_rows(flipped, nodes, matches=moved, keep_negatives=1.0)
    assert not rows.same.any()
    assert torch.equal(
        flipped.wireframe1.side_colors[:, :, 0], batch.wireframe1.side_colors[:, :, 1]
    )
    width = 640
    torch.testing.assert_close(
        flipped.wireframe1.keypoints[..., 0], width - 1 - batch.wireframe1.keypoints[..., 0]
    )
    torch.testing.assert_close(
        moved.positions1,
        in_units(flipped.wireframe1.keypoints * 0, batch.wireframe1)
        + torch.stack([width - 1 - matches.positions1[..., 0], matches.positions1[..., 1]], -1),
    )


def test_thinning() -> None:
    _, _, matches = make_sample()
    assert torch.equal(thinned(matches, probability=0.0).weights, matches.weights)
    torch.manual_seed(0)
    left = [float(thinned(matches, probability=1.0).weights.mean()) for _ in range(50)]
    assert min(left) < 0.2
    assert max(left) > 0.8


def test_a_store_keeps_what_it_is_given(tmp_path: Path) -> None:
    batch, nodes, matches = make_sample()
    rows = describe_rows(batch, nodes, matches=matches)
    store = RowStore(tmp_path, {"seed": 0})
    store.add(3, rows)
    store.add(7, rows)
    assert 3 in store
    assert 4 not in store
    again = RowStore(tmp_path, {"seed": 0}).load()
    assert torch.equal(again.features, torch.cat([rows.features, rows.features]))
    assert again.image.unique().tolist() == [0, 1]
    sorted_rows = sort_rows(LineRows(*(value.flip(0) for value in again)))
    assert torch.equal(sorted_rows.image, again.image)
    assert len(join_rows([rows, rows], device="cpu").same) == len(again.same)


def test_errors(tmp_path: Path) -> None:
    RowStore(tmp_path / "a", {"seed": 0})
    with pytest.raises(ValueError, match="other options"):
        RowStore(tmp_path / "a", {"seed": 1})
    with pytest.raises(ValueError, match="empty"):
        RowStore(tmp_path / "a", {"seed": 0}).load()
    (tmp_path / "a" / "rows-00000000.safetensors").write_bytes(b"half a file")
    with pytest.raises(ValueError, match="damaged"):
        RowStore(tmp_path / "a", {"seed": 0}).load()
