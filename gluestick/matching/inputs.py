"""What both networks need of their inputs: checks, and positions without a unit."""

import torch
from torch import Tensor

from gluestick.types import Wireframe


def check_pair(wireframe0: Wireframe, wireframe1: Wireframe, *, descriptor_dim: int) -> None:
    """Check that two wireframes can be matched.

    Args:
        wireframe0: The wireframes of the images 0.
        wireframe1: The wireframes of the images 1.
        descriptor_dim: The descriptor size D that the network takes.

    Raises:
        ValueError: If the batches differ in size, the descriptors have another size, or a
            position or descriptor is NaN or infinite.
    """
    if wireframe0.batch_size != wireframe1.batch_size:
        raise ValueError(
            "both sides need the same number of images, found "
            f"{wireframe0.batch_size} and {wireframe1.batch_size}"
        )
    for side, wireframe in enumerate((wireframe0, wireframe1)):
        found = wireframe.descriptors.shape[-1]
        if found != descriptor_dim:
            raise ValueError(
                f"the network takes descriptors of size {descriptor_dim}, found {found} in "
                f"wireframe {side}: use the detector that the model was trained with"
            )
        for name in ("keypoints", "descriptors"):
            if not torch.isfinite(getattr(wireframe, name)).all():
                raise ValueError(
                    f"the {name} of wireframe {side} contain NaN or infinite values: check the "
                    "detector and its input image"
                )


def normalize_keypoints(keypoints: Tensor, image_size: Tensor, *, scale: float) -> Tensor:
    """Move the origin to the image centre and divide by the longer side.

    Args:
        keypoints: [B, ..., 2] px.
        image_size: [B, 2], (width, height) px.
        scale: The share of the longer side that becomes 1: 0.5 in LightGlue and
            LightGlueStick, 0.7 in GlueStick.

    Returns:
        [B, ..., 2] without unit; positions outside the image are allowed.
    """
    shape = (-1,) + (1,) * (keypoints.ndim - 2) + (2,)
    size = image_size.to(keypoints.dtype)
    longer_side = size.amax(1).reshape(*shape[:-1], 1)
    return (keypoints - size.reshape(shape) / 2) / (longer_side * scale)
