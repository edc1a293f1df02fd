"""Deformable convolution (Dai et al., "Deformable Convolutional Networks", ICCV 2017)."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


class DeformableConvolution(nn.Module):
    """A convolution of stride 1 whose taps are moved by offsets predicted from its input.

    Outside the map values are zero. An offset is at most a quarter of the map's longer side.

    Args:
        inputs: Channels of the input.
        outputs: Channels of the output.
        kernel: Taps along a side, odd.
    """

    def __init__(self, inputs: int, outputs: int, *, kernel: int) -> None:
        super().__init__()
        padding = kernel // 2
        self.offset_conv = nn.Conv2d(inputs, 2 * kernel**2, kernel, padding=padding)
        self.regular_conv = nn.Conv2d(inputs, outputs, kernel, padding=padding, bias=False)

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
        dy, dx = offsets.unflatten(0, (-1, 2)).unbind(1)  # [K, h, w] each, taps row by row
        tap = torch.arange(kernel, device=dense.device) - kernel // 2
        row = torch.arange(height, device=dense.device)[:, None]
        column = torch.arange(width, device=dense.device)
        y = row + tap.repeat_interleave(kernel)[:, None, None] + dy
        x = column + tap.repeat(kernel)[:, None, None] + dx
        grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
        taps = F.grid_sample(
            dense, grid.flatten(1, 2)[None], mode="bilinear", align_corners=False
        )  # [1, C, K, h * w]
        convolved = self.regular_conv.weight.flatten(1) @ taps[0].flatten(0, 1)
        return convolved.unflatten(1, (height, width))[None]
