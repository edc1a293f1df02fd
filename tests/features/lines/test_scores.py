import numpy as np
import pytest
import torch
from rendered_edges import half_plane

from gluestick.checks import ShapeError
from gluestick.features.lines.edge_profiles import gray_values
from gluestick.features.lines.scores import LineSelectionConfig, select_lines
from gluestick.types import Lines

CPU = torch.device("cpu")
GRAY = gray_values(half_plane(48.0))
# on the edge (long), on the edge (short), away from it, too short, of no length
SEGMENTS = np.array(
    [
        [[48, 20], [48, 40]],
        [[48, 10], [48, 90]],
        [[10, 10], [10, 90]],
        [[48, 5], [48, 12]],
        [[30, 30], [30, 30]],
    ],
    np.float32,
)


def select(
    mask: torch.Tensor | None = None, saliency: np.ndarray | None = None, **options
) -> Lines:
    config = LineSelectionConfig(**options)
    return select_lines(SEGMENTS, config, gray=GRAY, mask=mask, device=CPU, saliency=saliency)


def test_long_and_contrasted_segments_come_first() -> None:
    chosen = select()
    expected = torch.from_numpy(SEGMENTS[[1, 0, 2]])
    torch.testing.assert_close(chosen.lines, expected, atol=0.01, rtol=0)
    assert chosen.scores[0] / chosen.scores[1] == pytest.approx(2.0)  # 80 px against 20 px
    assert chosen.scores[2] == 0
    assert chosen.lines.dtype == chosen.scores.dtype == torch.float32


def test_scores_are_saliency_times_root_of_length() -> None:
    saliency = np.array([5.0, 1, 2, 100, 100])
    chosen = select(saliency=saliency, subpixel=False)
    assert chosen.lines.tolist() == SEGMENTS[[0, 2, 1]].tolist()
    expected = torch.tensor([5 * 20**0.5, 2 * 80**0.5, 80**0.5])
    torch.testing.assert_close(chosen.scores, expected)


def test_limits() -> None:
    assert len(select(max_num_lines=None, min_length=0).lines) == 4
    assert len(select(max_num_lines=1).lines) == 1
    assert len(select(min_length=50).lines) == 2
    assert len(select(min_length=200).lines) == 0


def test_equally_good_segments_keep_their_order() -> None:
    chosen = select(saliency=np.zeros(5), subpixel=False, min_length=0)
    assert chosen.lines.tolist() == SEGMENTS[:4].tolist()


def test_segments_lie_in_the_mask_and_in_the_image() -> None:
    mask = torch.ones(96, 96, dtype=torch.bool)
    mask[80] = False
    chosen = select(mask=mask, subpixel=False)
    assert chosen.lines.tolist() == SEGMENTS[:1].tolist()
    assert len(select(mask=torch.zeros(96, 96, dtype=torch.bool)).lines) == 0
    with pytest.raises(
        ShapeError, match=r"mask needs the shape \[H W\] with W = 96, found \[96, 90\]"
    ):
        select(mask=mask[:, :90])


def test_overshooting_segments_are_clipped() -> None:
    config = LineSelectionConfig(subpixel=False)
    segment = np.array([[[48, -3], [48, 97]], [[-30, 4], [-2, 4]]], np.float32)
    chosen = select_lines(segment, config, gray=GRAY, mask=None, device=CPU)
    assert chosen.lines.tolist() == [[[48, 0], [48, 95]]]


def test_bad_limits_are_refused() -> None:
    with pytest.raises(ValueError, match="max_num_lines needs to be at least 1"):
        LineSelectionConfig(max_num_lines=0)
    with pytest.raises(ValueError, match="min_length needs to be at least 0 px"):
        LineSelectionConfig(min_length=-1.0)
    with pytest.raises(ValueError, match="min_length needs to be at least 0 px"):
        LineSelectionConfig(min_length=float("nan"))
