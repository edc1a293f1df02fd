"""Which candidates become keypoints: masks, non-maximum suppression, the strongest first."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gluestick.checks import check_shapes
from gluestick.features.image_batch import one_per_image
from gluestick.transfers import to_host

BLANK_RANGE = 2.5 / 255
"""An image of which no channel spans more than this shows nothing but rounding: two steps of 8
bit."""

_MOST_RADIUS = 256
"""Windows of larger radii need more memory than machines have."""


def check_detector_options(
    owner: str, *, max_num_keypoints: int | None, nms_radius: int, least_radius: int = 0
) -> None:
    """Check options that all detectors share.

    Args:
        owner: The configuration, for the error message.
        max_num_keypoints: At least 1, or None for no limit.
        nms_radius: At least ``least_radius`` px.
        least_radius: 1 where a detector needs local maxima.

    Raises:
        ValueError: If an option is out of range.
    """
    if max_num_keypoints is not None and max_num_keypoints < 1:
        raise ValueError(
            f"{owner}.max_num_keypoints needs to be at least 1, or None for no limit, "
            f"found {max_num_keypoints}"
        )
    if nms_radius < least_radius:
        raise ValueError(
            f"{owner}.nms_radius needs to be at least {least_radius} px, found {nms_radius}"
        )
    if nms_radius > _MOST_RADIUS:
        raise ValueError(f"{owner}.nms_radius is limited to {_MOST_RADIUS} px, found {nms_radius}")


def allowed_pixels(image: Tensor, mask: Tensor | None) -> Tensor:
    """Return where keypoints may lie: inside the mask, and nowhere in a blank image.

    Zero padding inside a network draws edges around an image without content; keypoints on
    them would mean nothing.

    Args:
        image: [3, H, W] in [0, 1].
        mask: [H, W] bool, or None to allow every pixel.

    Returns:
        [H, W] bool.

    Raises:
        ShapeError: If the image is not [3, H, W] or the mask does not have its size.
    """
    if mask is None:
        mask = torch.ones(image.shape[-2:], dtype=torch.bool, device=image.device)
    check_shapes("detect", {"image": image, "mask": mask}, {"image": "3 H W", "mask": "H W"})
    low, high = image.flatten(1).aminmax(dim=1)  # [3]
    return mask.to(image.device, torch.bool) & (high - low > BLANK_RANGE).any()


def allowed_pixels_of_each(images: Tensor, masks: Sequence[Tensor | None] | None) -> Tensor:
    """Return where keypoints of several images may lie; see :func:`allowed_pixels`.

    Args:
        images: [B, 3, H, W] in [0, 1].
        masks: For each image [H, W] bool or None; or None.

    Returns:
        [B, H, W] bool.

    Raises:
        ShapeError: If an image is not [3, H, W] or a mask does not have its size.
        ValueError: If there is another number of masks.
    """
    each = one_per_image(masks, list(images), name="masks")
    return torch.stack([allowed_pixels(*one) for one in zip(images, each, strict=True)])


def lies_in(keypoints: Tensor, allowed: Tensor) -> Tensor:
    """Return which keypoints lie on a pixel that is allowed.

    Args:
        keypoints: [N, 2] px.
        allowed: [H, W] bool.

    Returns:
        [N] bool; False also outside the image.
    """
    height, width = allowed.shape
    x, y = keypoints.round().long().unbind(-1)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return inside & allowed[y.clamp(0, height - 1), x.clamp(0, width - 1)]


def chosen_limit(max_num_keypoints: int | None, configured: int | None) -> int | None:
    """Return how many keypoints a call may give.

    Args:
        max_num_keypoints: What the call says, from 0 on, or None for the configured number.
        configured: The configured number, or None for no limit.

    Raises:
        ValueError: If the number is negative.
    """
    if max_num_keypoints is None:
        return configured
    if max_num_keypoints < 0:
        raise ValueError(f"max_num_keypoints needs to be at least 0, found {max_num_keypoints}")
    return max_num_keypoints


def strongest(scores: Tensor, *, max_num_keypoints: int | None) -> Tensor:
    """Return the indices of the best scores, best first; of equal ones the earlier first.

    Args:
        scores: [N].
        max_num_keypoints: How many at most, or None for all.

    Returns:
        [min(N, max_num_keypoints)] int64.
    """
    return scores.argsort(descending=True, stable=True)[:max_num_keypoints]


def strongest_of_each(
    scores: Sequence[Tensor], usable: Sequence[Tensor], *, max_num_keypoints: int | None
) -> list[Tensor]:
    """Return for each image the indices of its best usable scores; see :func:`strongest`.

    Their numbers are read from the device at once.

    Args:
        scores: For each image [N].
        usable: For each image [N] bool; the others are left out.
        max_num_keypoints: How many at most in each image, or None for all.

    Returns:
        For each image int64 indices, best first.
    """
    (counts,) = to_host(torch.stack([one.sum() for one in usable]))
    return [
        strongest(own.masked_fill(~one, -torch.inf), max_num_keypoints=count)[:max_num_keypoints]
        for own, one, count in zip(scores, usable, counts.tolist(), strict=True)
    ]


def image_indices(counts: Sequence[int], *, device: torch.device) -> Tensor:
    """Return for each keypoint of several images the index of its image.

    Args:
        counts: How many keypoints each image has.
        device: Where the result is made, without a copy from the host.

    Returns:
        [sum of counts] int64.
    """
    return torch.cat(
        [torch.full((count,), index, device=device) for index, count in enumerate(counts)]
    )


def suppress_neighbours(keypoints: Tensor, *, radius: float) -> Tensor:
    """Return which keypoints have no stronger kept one within a radius.

    Args:
        keypoints: [N, 2] px, strongest first.
        radius: px; with 0 only repeated positions are dropped.

    Returns:
        [N] bool.
    """
    from scipy.spatial import cKDTree

    keep = torch.ones(len(keypoints), dtype=torch.bool)
    pairs = cKDTree(keypoints.cpu().double().numpy()).query_pairs(radius, output_type="ndarray")
    for stronger, weaker in sorted(pairs.tolist()):
        if keep[stronger]:
            keep[weaker] = False
    return keep.to(keypoints.device)
