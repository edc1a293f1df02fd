import pytest
import torch
from kornia.feature.aliked.aliked import DeformableConv2d
from torch import nn

from gluestick.features.deformable import DeformableConvolution


@pytest.mark.parametrize("size", [(1, 1), (3, 7), (12, 9)])
@pytest.mark.parametrize("bias", [False, True])
def test_equals_the_plain_layer(size, bias):
    torch.manual_seed(0)
    plain = DeformableConv2d(4, 6, bias=bias)
    nn.init.normal_(plain.offset_conv.weight, std=0.3)
    layer = DeformableConvolution(offset_conv=plain.offset_conv, regular_conv=plain.regular_conv)
    dense = torch.rand(1, 4, *size)
    torch.testing.assert_close(layer(dense), plain(dense), atol=1e-5, rtol=1e-4)


def test_without_offsets_it_is_a_convolution():
    offsets, regular = nn.Conv2d(2, 18, 3, padding=1), nn.Conv2d(2, 3, 3, padding=1)
    nn.init.zeros_(offsets.weight)
    nn.init.zeros_(offsets.bias)
    layer = DeformableConvolution(offset_conv=offsets, regular_conv=regular)
    dense = torch.rand(1, 2, 5, 8)
    torch.testing.assert_close(layer(dense), regular(dense), atol=1e-5, rtol=1e-4)
