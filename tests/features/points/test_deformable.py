import pytest
import torch
from torch import nn

from gluestick.features.points.deformable import DeformableConvolution


@pytest.mark.parametrize("size", [(1, 1), (3, 7), (12, 9)])
def test_equals_the_layer_of_kornia(size):
    kornia_aliked = pytest.importorskip(
        "kornia.feature.aliked.aliked", reason="needs kornia >= 0.9"
    )
    torch.manual_seed(0)
    plain = kornia_aliked.DeformableConv2d(4, 6)
    nn.init.normal_(plain.offset_conv.weight, std=0.3)
    layer = DeformableConvolution(4, 6, kernel=3)
    layer.load_state_dict(plain.state_dict())
    dense = torch.rand(1, 4, *size)
    torch.testing.assert_close(layer(dense), plain(dense), atol=1e-5, rtol=1e-4)


def test_without_offsets_it_is_a_convolution():
    layer = DeformableConvolution(2, 3, kernel=3)
    nn.init.zeros_(layer.offset_conv.weight)
    nn.init.zeros_(layer.offset_conv.bias)
    dense = torch.rand(1, 2, 5, 8)
    torch.testing.assert_close(layer(dense), layer.regular_conv(dense), atol=1e-5, rtol=1e-4)


def test_offsets_move_the_taps_along_both_axes():
    layer = DeformableConvolution(1, 1, kernel=1)
    nn.init.zeros_(layer.offset_conv.weight)
    nn.init.ones_(layer.regular_conv.weight)
    with torch.no_grad():
        layer.offset_conv.bias.copy_(torch.tensor([1.0, 2.0]))
    dense = torch.arange(80.0).reshape(1, 1, 8, 10)
    torch.testing.assert_close(layer(dense)[..., :-1, :-2], dense[..., 1:, 2:])
