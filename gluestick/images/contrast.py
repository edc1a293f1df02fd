"""The contrast in which detectors see an image, whatever its grey levels are."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from gluestick.checks import check_shapes

_SAMPLES = 2**14
_WINDOW = 3  # px
_TAIL = 0.005
"""The share of the darkest and of the brightest places that decides nothing."""

_MIN_CORRELATION = 0.3
"""How much alike pixels at a distance of two px have to be. The correlation is 0 in noise, and
above 0.6 in photographs."""


@dataclass(frozen=True, kw_only=True)
class ContrastConfig:
    """Which images are stretched before anything is detected.

    Attributes:
        mode: ``auto`` stretches images of low contrast by their own range; ``fixed`` maps
            ``low`` to black and ``high`` to white, the same for every image; ``none`` takes
            images as they are.
        low: The value in [0, 1] that ``fixed`` makes black.
        high: The value in [0, 1] that ``fixed`` makes white.
        min_range: ``auto`` stretches images whose values span less than this part of [0, 1].
            Ordinary photographs span more. Medians of 3x3 px count, without the outermost 0.5%
            on either side, so that hot pixels decide nothing; neither does what is wholly black
            or white, such as margins.
        target_range: What ``auto`` stretches this span to.
        min_levels: ``auto`` leaves images alone whose span holds fewer different values than
            this. It also leaves noise alone, whose pixels are not like their neighbours.
    """

    mode: Literal["auto", "fixed", "none"] = "auto"
    low: float = 0.0
    high: float = 1.0
    min_range: float = 0.4
    target_range: float = 0.8
    min_levels: int = 4

    def __post_init__(self) -> None:
        if self.mode not in ("auto", "fixed", "none"):
            raise ValueError(f"mode needs to be auto, fixed or none, found {self.mode!r}")
        if not 0 <= self.low < self.high <= 1:
            raise ValueError(
                f"low and high need 0 <= low < high <= 1, found {self.low} and {self.high}"
            )
        if not 0 <= self.min_range <= self.target_range <= 1:
            raise ValueError(
                "min_range and target_range need 0 <= min_range <= target_range <= 1, found "
                f"{self.min_range} and {self.target_range}"
            )
        if self.min_levels < 2:
            raise ValueError(f"min_levels needs to be at least 2, found {self.min_levels}")


def stretch_contrast(image: Tensor, *, config: ContrastConfig) -> Tensor:
    """Stretch the contrast of an image as a configuration says.

    Args:
        image: [3, H, W] float32 in [0, 1], before it is resized.
        config: The rule.

    Returns:
        [3, H, W] in [0, 1]. Stretched by its own range, each channel lies around 0.5, and all
        have the same gain. Nothing is read back from the image's device.

    Raises:
        ShapeError: If the image does not have the shape [3, H, W].
    """
    check_shapes("stretch_contrast", {"image": image}, {"image": "3 H W"})
    if config.mode == "none":
        return image
    if config.mode == "fixed":
        return ((image - config.low) / (config.high - config.low)).clamp(0, 1)
    if min(image.shape[1:]) < _WINDOW:
        return image
    low, high, wanted = _own_range(image, config)
    if wanted.device.type == "cpu" and not wanted:
        return image
    gain = config.target_range / (high - low).amax().clamp_min(torch.finfo(image.dtype).tiny)
    middle = ((low + high) / 2)[:, None, None]
    return torch.where(wanted, ((image - middle) * gain + 0.5).clamp(0, 1), image)


def _own_range(image: Tensor, config: ContrastConfig) -> tuple[Tensor, Tensor, Tensor]:
    """Return the range of each channel, [3] and [3], and whether to stretch it, [] bool."""
    stride = max(1, math.isqrt(image[0].numel() // _SAMPLES))
    windows = F.unfold(image[:, None], _WINDOW, stride=stride)  # [3, 9, S]
    columns = _middle_of_three(windows.unflatten(1, (_WINDOW, _WINDOW)))  # [3, 3, S]
    medians = _middle_of_three(columns)  # [3, S]
    counts = ((medians > 0) & (medians < 1)).any(dim=0)  # [S]
    values = medians.masked_fill(~counts, math.inf).sort(dim=1).values
    last = (counts.sum() - 1).clamp_min(0)
    ends = torch.stack([_TAIL * last, (1 - _TAIL) * last]).round().long()  # [2]
    low, high = values.index_select(1, ends).unbind(1)  # [3]

    ranks = torch.arange(1, values.shape[1], device=image.device)
    inner = (ranks > ends[0]) & (ranks <= ends[1])
    levels = ((values[:, 1:] != values[:, :-1]) & inner).sum(dim=1).amax() + 1
    neighbours = columns[:, ::2].clamp(low[:, None, None], high[:, None, None])  # [3, 2, S]
    correlation = _correlation(neighbours[:, 0, :], neighbours[:, 1, :], weights=counts)
    wanted = (
        ((high - low).amax() < config.min_range)
        & (levels >= config.min_levels)
        & (correlation.amax() > _MIN_CORRELATION)
    )
    return low, high, wanted


def _middle_of_three(values: Tensor) -> Tensor:
    """Return the medians of [C, 3, ...] over the second dimension."""
    first, second, third = values.unbind(1)
    larger = torch.maximum(first, second)
    return torch.maximum(torch.minimum(first, second), torch.minimum(larger, third))


def _correlation(first: Tensor, second: Tensor, *, weights: Tensor) -> Tensor:
    """Return the correlation of [C, S] with [C, S], [C]; 0 where either is constant."""
    total = weights.sum().clamp_min(1)
    both = torch.stack([first, second])  # [2, C, S]
    deviations = (both - (both * weights).sum(dim=-1, keepdim=True) / total) * weights
    norms = deviations.norm(dim=-1).prod(dim=0)  # [C]
    return deviations.prod(dim=0).sum(dim=-1) / norms.clamp_min(torch.finfo(first.dtype).tiny)
