"""Deformable convolution (Dai et al., "Deformable Convolutional Networks", ICCV 2017)."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from gluestick.features.points.sampling import maps_of, sample_rows


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

    def forward(
        self, dense: Tensor, scale: Tensor | None = None, shift: Tensor | None = None
    ) -> Tensor:
        """Convolve.

        Args:
            dense: [B, C, h, w].
            scale: [D], by what the channels of the result are multiplied; None for 1.
            shift: [D], what is added to them then; None for 0.

        Returns:
            [B, D, h, w], with its channels stored last.
        """
        number, _, height, width = dense.shape
        kernel = self.regular_conv.kernel_size[0]
        furthest = max(height, width) / 4
        offsets = self.offset_conv(dense).clamp(-furthest, furthest).permute(0, 2, 3, 1)
        dy, dx = offsets.unflatten(3, (-1, 2)).unbind(4)  # [B, h, w, K] each
        tap = torch.arange(kernel, device=dense.device) - kernel // 2
        row = torch.arange(height, device=dense.device)[:, None, None]
        column = torch.arange(width, device=dense.device)[:, None]
        y = row + tap.repeat_interleave(kernel) + dy  # taps row by row
        x = column + tap.repeat(kernel) + dx
        images = None
        if number > 1:
            images = torch.arange(number, device=dense.device)[:, None].expand(-1, x[0].numel())
            images = images.flatten()
        taps = sample_rows(dense, torch.stack([x, y], dim=-1).flatten(0, 3), images)  # [B h w K, C]
        weight = self.regular_conv.weight.flatten(2).mT.flatten(1)  # [D, K C]
        if scale is not None:
            weight = weight * scale[:, None]
        convolved = F.linear(taps.view(number * height * width, -1), weight, shift)
        return maps_of(convolved, size=(height, width))
