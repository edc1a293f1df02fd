import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from gluestick.matching.layers.encoders import (
    EndpointEncoder,
    KeypointEncoder,
    Pointwise,
    PointwiseMLP,
    RotaryEncoding,
)


def test_pointwise_is_a_convolution_of_size_one():
    layer = Pointwise(3, 5)
    x = torch.randn(2, 7, 3)
    convolved = F.conv1d(x.mT, layer.weight, layer.bias).mT
    torch.testing.assert_close(layer(x), convolved)


@pytest.mark.parametrize("num_points", [0, 1, 6])
def test_keypoint_encoder_shapes(num_points):
    encoder = KeypointEncoder(16, (4, 8)).eval()
    assert encoder(torch.rand(2, num_points, 2), torch.rand(2, num_points)).shape == (
        2,
        num_points,
        16,
    )


@pytest.mark.parametrize("num_real", [0, 1, 6])
def test_training_ignores_padding(num_real):
    x = torch.randn(1, 8, 3)
    mask = torch.arange(8)[None] < num_real
    results = []
    for inputs, real in ((x[:, :num_real], None), (x, mask)):
        torch.manual_seed(0)
        mlp = PointwiseMLP([3, 6, 4]).train()
        results.append((mlp(inputs, real)[:, :num_real], mlp[1].running_var))
    torch.testing.assert_close(*results)


def test_endpoint_scores_keep_the_published_order():
    class Inputs(torch.nn.Module):
        def forward(self, x, mask):
            return x

    encoder = EndpointEncoder(16, (4,))
    encoder.encoder = Inputs()
    lines = torch.rand(2, 3, 2, 2)
    scores = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 0.0]])
    mask = torch.tensor([[True, True, True], [True, True, False]])
    inputs = encoder(lines, scores, mask)  # [2, 3, 2, 5]
    assert torch.equal(inputs[..., :2], lines)
    torch.testing.assert_close(inputs[:, :, 0, 2:4], lines[:, :, 1] - lines[:, :, 0])
    torch.testing.assert_close(inputs[:, :, 1, 2:4], lines[:, :, 0] - lines[:, :, 1])
    assert inputs[0, ..., 4].flatten().tolist() == [1, 2, 3, 1, 2, 3]
    assert inputs[1, :2, :, 4].flatten().tolist() == [4, 5, 4, 5]


def test_endpoint_encoder_without_lines():
    encoder = EndpointEncoder(16, (4,)).eval()
    mask = torch.zeros(2, 0, dtype=torch.bool)
    assert encoder(torch.rand(2, 0, 2, 2), torch.rand(2, 0), mask).shape == (2, 0, 2, 16)


def test_rotary_encoding():
    encoding = RotaryEncoding(8)
    keypoints = torch.rand(2, 5, 2)
    cosine, sine = encoding(keypoints)
    assert cosine.shape == (2, 5, 4)
    torch.testing.assert_close(cosine**2 + sine**2, torch.ones(2, 5, 4))
    torch.testing.assert_close(
        torch.atan2(sine, cosine).sin(), (keypoints @ encoding.Wr.weight.T).sin()
    )
