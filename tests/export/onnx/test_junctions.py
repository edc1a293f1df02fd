import numpy as np
import torch

from gluestick.export.onnx.junctions import merge_ends
from gluestick.wireframe.junctions import merge_endpoints


def test_junctions_are_those_of_wireframes() -> None:
    lines = np.random.default_rng(0).uniform(0, 60, (50, 2, 2)).astype(np.float32)
    expected, expected_lines = merge_endpoints(lines, radius=3.0)
    assert len(expected) < 80
    padded = torch.zeros(2, 55, 2, 2)
    padded[1, :50] = torch.from_numpy(lines)
    mask = torch.zeros(2, 55, dtype=torch.bool)
    mask[1, :50] = True
    junctions, junction_mask, line_junctions = merge_ends(padded, mask, radius=3.0)
    assert not junction_mask[0].any()
    kept = junction_mask[1]
    torch.testing.assert_close(junctions[1, kept], torch.from_numpy(expected), atol=1e-4, rtol=0)
    numbers = kept.cumsum(0) - 1
    assert torch.equal(numbers[line_junctions[1, :50]], torch.from_numpy(expected_lines))


def test_a_long_chain_is_one_junction() -> None:
    order = np.random.default_rng(1).permutation(100)
    places = torch.from_numpy(2.0 * order).float()
    ends = torch.stack([places, torch.zeros(100)], dim=1).view(1, 50, 2, 2)
    mask = torch.ones(1, 50, dtype=torch.bool)
    junctions, junction_mask, line_junctions = merge_ends(ends, mask, radius=3.0)
    assert junction_mask.sum() == 1
    assert (line_junctions == 0).all()
    torch.testing.assert_close(junctions[0, 0], torch.tensor([99.0, 0.0]))
