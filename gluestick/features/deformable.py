"""Deformable convolution (Dai et al., "Deformable Convolutional Networks", ICCV 2017)."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


class DeformableConvolution(nn.Module):
    """A convolution of stride 1 whose taps are moved by offsets predicted from its input.

    Outside the map values are zero.

    Args:
        offset_conv: Predicts (dy, dx) in px for each tap, tap by tap and row by row.
        regular_conv: The convolution whose taps are moved.
    """

    def __init__(self, *, offset_conv: nn.Conv2d, regular_conv: nn.Conv2d) -> None:
        super().__init__()
        self.offset_conv = offset_conv
        self.regular_conv = regular_conv

    def forward(self, dense: Tensor) -> Tensor:
        """Convolve.

        Args:
            dense: [1, C, h, w].

        Returns:
            [1, D, h, w].
        """
        height, width = dense.shape[2:]
        kernel = self.regular_conv.kernel_size[0]
        furthest = max(height, width) / 4
        offsets = self.offset_conv(dense)[0].clamp(-furthest, furthest)
        dy, dx = offsets.unflatten(0, (-1, 2)).unbind(1)  # [K, h, w] each
        tap = torch.arange(kernel, device=dense.device) - kernel // 2
        row = torch.arange(height, device=dense.device)[:, None]
        column = torch.arange(width, device=dense.device)
        y = row + tap.repeat_interleave(kernel)[:, None, None] + dy
        x = column + tap.repeat(kernel)[:, None, None] + dx
        grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
        taps = F.grid_sample(
            dense, grid.flatten(1, 2)[None], mode="bilinear", align_corners=False
        )  # [1, C, K, h * w]
        weight = self.regular_conv.weight.flatten(1)  # [D, C * K]
        convolved = weight @ taps[0].flatten(0, 1)
        if self.regular_conv.bias is not None:
            convolved = convolved + self.regular_conv.bias[:, None]
        return convolved.unflatten(1, (height, width))[None]
