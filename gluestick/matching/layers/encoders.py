"""Pointwise layers, and encoders of keypoints, line endpoints and positions."""

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from gluestick.precision import AtLeastSingle, without_autocast


class Pointwise(nn.Conv1d):
    """A linear layer on the last dimension whose weight has a convolution's shape.

    The published GlueStick applies convolutions of size 1 to [B, C, N]; the weight keeps
    their shape [C_out, C_in, 1], while values here are [..., C] throughout.

    Args:
        input_dim: C_in.
        output_dim: C_out.
    """

    def __init__(self, input_dim: int, output_dim: int) -> None:
        super().__init__(input_dim, output_dim, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., C_in] to [..., C_out]."""
        return F.linear(x, self.weight[:, :, 0], self.bias)


class _BatchNorm(nn.BatchNorm1d):
    """Batch norm that falls back on its running statistics for fewer than two rows."""

    def forward(self, x: Tensor) -> Tensor:
        if len(x) < 2:
            return F.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(x)


class PointwiseMLP(nn.Sequential):
    """Pointwise layers with batch norm and ReLU between them.

    While training, the batch statistics are those of the real entries only, so that padding
    does not change them.

    Args:
        channels: The sizes from input to output, at least two.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        layers: list[nn.Module] = []
        for input_dim, output_dim in itertools.pairwise(channels[:-1]):
            layers += [Pointwise(input_dim, output_dim), _BatchNorm(output_dim), nn.ReLU()]
        last = Pointwise(channels[-2], channels[-1])
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]
        super().__init__(*layers, last)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Apply the layers.

        Args:
            x: [B, N, C_in].
            mask: [B, N] bool, False for padding; None where there is none.

        Returns:
            [B, N, C_out]; of no meaning at padding.
        """
        if not self.training or mask is None:
            return super().forward(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        real = super().forward(x[mask])  # [M, C_out]
        return real.new_zeros(*x.shape[:2], real.shape[-1]).index_put((mask,), real)


class KeypointEncoder(AtLeastSingle):
    """Encodes position and score of a keypoint (SuperGlue, arXiv 1911.11763, equation 2).

    Positions, and so the encoder, stay in single precision.

    Args:
        descriptor_dim: The size D of the encoding.
        channels: The sizes of the hidden layers.
    """

    def __init__(self, descriptor_dim: int, channels: Sequence[int]) -> None:
        super().__init__()
        self.encoder = PointwiseMLP([3, *channels, descriptor_dim])

    def forward(self, keypoints: Tensor, scores: Tensor, mask: Tensor | None = None) -> Tensor:
        """Encode keypoints.

        Args:
            keypoints: [B, P, 2], normalised.
            scores: [B, P].
            mask: [B, P] bool, False for padding; None where there is none.

        Returns:
            [B, P, D].
        """
        inputs = torch.cat([keypoints, scores[..., None]], dim=-1)
        with without_autocast(keypoints.device):
            return self.encoder(_as_parameters(inputs, self), mask)


class EndpointEncoder(AtLeastSingle):
    """Encodes the endpoints of lines (GlueStick, arXiv 2304.02008), in single precision.

    The input of an endpoint is its position, the offset to the other endpoint and a line
    score. Which score keeps to the published weights: the endpoints are in the order
    l0e0, l0e1, l1e0, ... while the scores are s0 ... s(L-1), s0 ... s(L-1), so endpoint q
    gets score q mod L, with L the number of real lines of its image.

    Args:
        descriptor_dim: The size D of the encoding.
        channels: The sizes of the hidden layers.
    """

    def __init__(self, descriptor_dim: int, channels: Sequence[int]) -> None:
        super().__init__()
        self.encoder = PointwiseMLP([5, *channels, descriptor_dim])

    def forward(self, lines: Tensor, scores: Tensor, mask: Tensor) -> Tensor:
        """Encode both endpoints of each line.

        Args:
            lines: [B, L, 2, 2], normalised; real lines first, then padding.
            scores: [B, L].
            mask: [B, L] bool, False for padding.

        Returns:
            [B, L, 2, D].
        """
        num_lines = lines.shape[1]
        endpoint = torch.arange(2 * num_lines, device=lines.device)
        index = endpoint % mask.sum(1, keepdim=True).clamp(min=1)  # [B, 2L]
        endpoint_scores = scores.gather(1, index).unflatten(1, (num_lines, 2))
        offsets = lines.flip(2) - lines
        inputs = torch.cat([lines, offsets, endpoint_scores[..., None]], dim=-1)  # [B, L, 2, 5]
        endpoint_mask = mask[..., None].expand(-1, -1, 2).flatten(1)
        with without_autocast(lines.device):
            encoded = self.encoder(_as_parameters(inputs.flatten(1, 2), self), endpoint_mask)
        return encoded.unflatten(1, (num_lines, 2))


def _as_parameters(inputs: Tensor, module: nn.Module) -> Tensor:
    """Convert inputs to the type of a module's parameters."""
    return inputs.to(next(module.parameters(), inputs).dtype)


class RotaryEncoding(AtLeastSingle):
    """Learnt Fourier features of a position, for rotary encoding (LightGlue, arXiv 2306.13643).

    They stay in single precision, since angles are many turns long.

    Args:
        head_dim: The size D of an attention head; positions give D/2 angles.
    """

    def __init__(self, head_dim: int) -> None:
        super().__init__()
        self.Wr = nn.Linear(2, head_dim // 2, bias=False)
        nn.init.normal_(self.Wr.weight)

    def forward(self, keypoints: Tensor) -> Tensor:
        """Encode positions.

        Args:
            keypoints: [B, S, 2], normalised.

        Returns:
            [2, B, S, D/2], cosine and sine of each angle.
        """
        with without_autocast(keypoints.device):
            angles = self.Wr(keypoints.to(self.Wr.weight.dtype))
        return torch.stack([angles.cos(), angles.sin()])
