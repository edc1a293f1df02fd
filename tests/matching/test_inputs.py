import pytest
import torch

from gluestick.matching.inputs import normalize_keypoints


@pytest.mark.parametrize("scale", [0.5, 0.7])
def test_normalize_keypoints(scale):
    keypoints = torch.tensor([[[320.0, 240.0], [640.0, 0.0]], [[50.0, 100.0], [50.0, 300.0]]])
    image_size = torch.tensor([[640, 480], [100, 200]])
    expected = torch.tensor([[[0.0, 0.0], [0.5, -0.375]], [[0.0, 0.0], [0.0, 1.0]]]) / scale
    torch.testing.assert_close(normalize_keypoints(keypoints, image_size, scale=scale), expected)


def test_normalize_lines():
    lines = torch.rand(2, 3, 2, 2)
    image_size = torch.tensor([[4, 3], [2, 5]])
    normalized = normalize_keypoints(lines, image_size, scale=0.5)
    flat = normalize_keypoints(lines.flatten(1, 2), image_size, scale=0.5)
    assert torch.equal(normalized.flatten(1, 2), flat)
