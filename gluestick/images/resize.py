"""Resizing images and masks."""

from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from gluestick.checks import check_shapes
from gluestick.transfers import small_tensor


@dataclass(frozen=True, kw_only=True)
class ResizeConfig:
    """The rule by which images are resized before features are detected.

    Attributes:
        size: The length that the side gets, px, or None to keep images as they are.
        side: Whether ``size`` is for the longer or for the shorter side.
        upscale: Whether images that are already smaller are enlarged.
        max_aspect: Where ``size`` is for the longer side: images that are more than this many
            times as long as they are wide, such as panoramas, keep ``size / max_aspect`` px of
            their shorter side, unless that needs more than ``2 * size**2`` pixels.
        filter: ``triangle`` or the sharper ``bicubic``, with which enlarged images match more
            like the originals, and sharp images that shrink match worse.
    """

    size: int | None = 1024
    side: Literal["long", "short"] = "long"
    upscale: bool = False
    max_aspect: float = 3.2
    filter: Literal["triangle", "bicubic"] = "triangle"

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 1:
            raise ValueError(f"size needs to be at least 1 px, or None, found {self.size}")
        if self.side not in ("long", "short"):
            raise ValueError(f"side needs to be 'long' or 'short', found {self.side!r}")
        if self.filter not in ("triangle", "bicubic"):
            raise ValueError(f"filter needs to be 'triangle' or 'bicubic', found {self.filter!r}")
        if not self.max_aspect >= 1:
            raise ValueError(f"max_aspect needs to be at least 1, found {self.max_aspect}")


def resized_size(image_size: tuple[int, int], *, config: ResizeConfig) -> tuple[int, int]:
    """Return the size an image gets by a rule.

    Args:
        image_size: (width, height) px.
        config: The rule.

    Returns:
        (width, height) px with the same aspect ratio up to rounding, never below 1.
    """
    if config.size is None:
        return image_size
    factor = _factor(image_size, size=config.size, config=config)
    if factor > 1 and not config.upscale:
        return image_size
    width, height = (max(1, round(length * factor)) for length in image_size)
    return width, height


def _factor(image_size: tuple[int, int], *, size: int, config: ResizeConfig) -> float:
    short, long = sorted(image_size)
    if config.side == "short":
        return size / short
    if long <= config.max_aspect * short:
        return size / long
    whole_shorter_side = size / (config.max_aspect * short)
    most_pixels = size * (2 / (short * long)) ** 0.5
    return max(size / long, min(whole_shorter_side, most_pixels))


def resize_image(image: Tensor, *, config: ResizeConfig) -> tuple[Tensor, Tensor]:
    """Resize an image, with low-pass filtering where it shrinks.

    Coordinates found in the result are mapped back by
    :func:`gluestick.geometry.pixels.from_resized` with the returned scale.

    Args:
        image: [3, H, W] float32 in [0, 1].
        config: The rule.

    Returns:
        The image [3, H', W'] in [0, 1] and the scale [2] float32: (W' / W, H' / H).

    Raises:
        ShapeError: If the image does not have the shape [3, H, W].
    """
    sizes = check_shapes("resize_image", {"image": image}, {"image": "3 H W"})
    width, height = resized_size((sizes["W"], sizes["H"]), config=config)
    scale = small_tensor([width / sizes["W"], height / sizes["H"]], like=image).float()
    if (width, height) == (sizes["W"], sizes["H"]):
        return image, scale
    mode = {"triangle": "bilinear", "bicubic": "bicubic"}[config.filter]
    resized = F.interpolate(
        image[None], size=(height, width), mode=mode, align_corners=False, antialias=True
    )[0]
    if config.filter == "bicubic":
        resized = resized.clamp(0, 1)
    return resized, scale


def resize_mask(mask: Tensor, *, config: ResizeConfig) -> Tensor:
    """Resize a mask as :func:`resize_image` resizes its image.

    A pixel of the result is allowed if all pixels that it covers are, so that whatever is found
    inside the result also lies inside the mask when it is mapped back.

    Args:
        mask: [H, W] bool.
        config: The rule.

    Returns:
        [H', W'] bool.

    Raises:
        ShapeError: If the mask does not have the shape [H, W].
    """
    sizes = check_shapes("resize_mask", {"mask": mask}, {"mask": "H W"})
    width, height = resized_size((sizes["W"], sizes["H"]), config=config)
    if (width, height) == (sizes["W"], sizes["H"]):
        return mask
    forbidden = (~mask).float()[None]
    return F.adaptive_max_pool2d(forbidden, (height, width))[0] == 0
