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
    """

    size: int | None = 1024
    side: Literal["long", "short"] = "long"
    upscale: bool = False

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 1:
            raise ValueError(f"size needs to be at least 1 px, or None, found {self.size}")
        if self.side not in ("long", "short"):
            raise ValueError(f"side needs to be 'long' or 'short', found {self.side!r}")


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
    side = max(image_size) if config.side == "long" else min(image_size)
    factor = config.size / side
    if factor > 1 and not config.upscale:
        return image_size
    width, height = (max(1, round(length * factor)) for length in image_size)
    return width, height


def resize_image(image: Tensor, *, config: ResizeConfig) -> tuple[Tensor, Tensor]:
    """Resize an image, with low-pass filtering where it shrinks.

    Coordinates found in the result are mapped back by
    :func:`gluestick.geometry.pixels.from_resized` with the returned scale.

    Args:
        image: [3, H, W] float32.
        config: The rule.

    Returns:
        The image [3, H', W'] and the scale [2] float32: (W' / W, H' / H).

    Raises:
        ShapeError: If the image does not have the shape [3, H, W].
    """
    sizes = check_shapes("resize_image", {"image": image}, {"image": "3 H W"})
    width, height = resized_size((sizes["W"], sizes["H"]), config=config)
    scale = small_tensor([width / sizes["W"], height / sizes["H"]], like=image).float()
    if (width, height) == (sizes["W"], sizes["H"]):
        return image, scale
    resized = F.interpolate(
        image[None], size=(height, width), mode="bilinear", align_corners=False, antialias=True
    )[0]
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
