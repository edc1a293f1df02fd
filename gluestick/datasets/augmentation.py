"""Random changes of light, colour and sharpness for training, by kornia."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

_FOG_CELLS = (3, 4)  # rows and columns of the mesh that its density is interpolated from
_STRENGTHS = (0.005, 0.05)  # the standard deviation of noise, the least and the most

DEFAULT_CHANCES: Mapping[str, float] = MappingProxyType(
    {
        "brightness": 0.4,
        "contrast": 0.4,
        "gamma": 0.3,
        "color": 0.2,
        "illumination": 0.2,
        "shadow": 0.1,
        "fog": 0.07,
        "gray": 0.15,
        "blur": 0.15,
        "motion_blur": 0.1,
        "noise": 0.3,
        "jpeg": 0.3,
    }
)
"""How likely each change is, in the order in which they happen."""


@dataclass(frozen=True, kw_only=True)
class AugmentationConfig:
    """Which changes happen.

    Attributes:
        probability: How likely it is in [0, 1] that anything changes at all.
        chances: How likely each change is then; those that are not named are as in
            :data:`DEFAULT_CHANCES`.
    """

    probability: float = 0.9
    chances: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = set(self.chances) - set(DEFAULT_CHANCES)
        if unknown:
            raise ValueError(
                f"no change of light is called {sorted(unknown)[0]!r}; there are: "
                f"{', '.join(DEFAULT_CHANCES)}"
            )
        for name, chance in (("probability", self.probability), *self.chances.items()):
            if not 0 <= chance <= 1:
                raise ValueError(f"the chance of {name} needs to be in [0, 1], found {chance}")


class Augmentation:
    """Changes images at random; where things are stays the same."""

    def __init__(self, config: AugmentationConfig | None = None) -> None:
        self.config = config or AugmentationConfig()
        self.chances = {**DEFAULT_CHANCES, **self.config.chances}
        self._changes = _build_changes()

    def __call__(self, image: Tensor, rng: np.random.Generator) -> Tensor:
        """Change an image.

        Args:
            image: [3, H, W] in [0, 1], RGB, on the CPU.
            rng: The source of randomness; the state of torch's own is kept.

        Returns:
            [3, H, W] in [0, 1].
        """
        if rng.random() >= self.config.probability:
            return image
        chosen = [name for name, chance in self.chances.items() if rng.random() < chance]
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(int(rng.integers(2**62)))
            for name in chosen:
                image = self._changes[name](image[None])[0].clamp(0, 1)
        return image


def _build_changes() -> dict[str, Callable[[Tensor], Tensor]]:
    from kornia import augmentation as kornia  # takes seconds, and only training needs it

    return {
        "brightness": kornia.RandomBrightness((0.55, 1.4), p=1.0),
        "contrast": kornia.RandomContrast((0.55, 1.4), p=1.0),
        "gamma": kornia.RandomGamma((0.5, 2.0), (1.0, 1.0), p=1.0),
        "color": kornia.RandomPlanckianJitter(p=1.0),
        "illumination": kornia.RandomLinearIllumination((0.05, 0.4), p=1.0),
        "shadow": kornia.RandomPlasmaShadow(
            shade_intensity=(-0.6, -0.2), shade_quantity=(0.4, 0.65), p=1.0
        ),
        "fog": _add_fog,
        "gray": kornia.RandomGrayscale(p=1.0),
        "blur": kornia.RandomGaussianBlur((7, 7), (0.3, 1.6), p=1.0),
        "motion_blur": kornia.RandomMotionBlur((3, 9), 180.0, 0.5, p=1.0),
        "noise": _add_noise,
        "jpeg": kornia.RandomJPEG((25.0, 95.0), p=1.0),
    }


def _add_noise(image: Tensor) -> Tensor:
    low, high = _STRENGTHS
    strength = low * (high / low) ** float(torch.rand(()))
    from kornia import augmentation as kornia

    return kornia.RandomGaussianNoise(0.0, strength, p=1.0)(image)


def _add_fog(image: Tensor) -> Tensor:
    """Mix an image [1, 3, H, W] with light grey, more in some places than in others."""
    density = torch.rand(1, 1, *_FOG_CELLS) * torch.rand(()) * 0.8
    density = F.interpolate(density, image.shape[2:], mode="bicubic").clamp(0, 1)
    return torch.lerp(image, 0.7 + 0.25 * torch.rand(()), density)
