"""The contrast in which detectors see an image, whatever its grey levels are."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from gluestick.checks import check_shapes

_SAMPLES = 2**16
_TAIL = 0.005
"""The share of the darkest and of the brightest pixels that decides nothing, such as hot pixels."""


@dataclass(frozen=True, kw_only=True)
class ContrastConfig:
    """Which images are stretched before anything is detected.

    Attributes:
        mode: ``auto`` stretches images of low contrast by their own range; ``fixed`` maps
            ``low`` to black and ``high`` to white, the same for every image; ``none`` takes
            images as they are.
        low: The value in [0, 1] that ``fixed`` makes black.
        high: The value in [0, 1] that ``fixed`` makes white.
        min_range: ``auto`` stretches images whose values, without the outermost 0.5% on either
            side, span less than this part of [0, 1]. Ordinary photographs span more.
        target_range: What ``auto`` stretches this span to.
        min_levels: ``auto`` leaves images alone whose span holds fewer different values than
            this: there is nothing but noise to stretch.
    """

    mode: Literal["auto", "fixed", "none"] = "auto"
    low: float = 0.0
    high: float = 1.0
    min_range: float = 0.4
    target_range: float = 0.8
    min_levels: int = 8

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
    pixels = image.flatten(1)
    values = pixels[:, :: max(1, pixels.shape[1] // _SAMPLES)].sort(dim=1).values  # [3, S]
    last = values.shape[1] - 1
    first, end = round(_TAIL * last), round((1 - _TAIL) * last) + 1
    inner = values[:, first:end]
    low, high = inner[:, 0], inner[:, -1]  # [3]
    span = (high - low).amax()
    levels = (inner[:, 1:] != inner[:, :-1]).sum(dim=1).amax() + 1
    wanted = (span < config.min_range) & (levels >= config.min_levels)
    if wanted.device.type == "cpu" and not wanted:
        return image
    gain = config.target_range / span.clamp_min(torch.finfo(image.dtype).tiny)
    middle = ((low + high) / 2)[:, None, None]
    return torch.where(wanted, ((image - middle) * gain + 0.5).clamp(0, 1), image)
