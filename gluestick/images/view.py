"""How a detector sees an image: resized and turned, or warped by a map; and masked."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from gluestick.checks import check_shapes
from gluestick.geometry.affine import as_rows, compose, inverse, resizing, stretch
from gluestick.geometry.pixels import from_resized, to_resized
from gluestick.images.contrast import ContrastConfig, stretch_contrast
from gluestick.images.perspective_warp import warp_in_perspective, warp_mask_in_perspective
from gluestick.images.resize import ResizeConfig, resize_image, resize_mask, resized_size
from gluestick.images.rotation import turn_image, turn_mask, turn_points, turn_points_back
from gluestick.images.warp import warp_image, warp_mask
from gluestick.types import DescriptorSampler, Points, ViewFrame


@dataclass(frozen=True, kw_only=True)
class TurnMap:
    """Where positions of an image lie in a copy that was first resized and then turned.

    Attributes:
        scale: [2], (x, y), the size of the resized image over that of the original.
        resized_size: (width, height) px of the resized image before it was turned.
        length_scale: The geometric mean of ``scale``, which lengths are multiplied by.
        turn: How far it was turned, degrees from the x towards the y axis.
    """

    scale: Tensor
    resized_size: tuple[int, int]
    length_scale: float = 1.0
    turn: float = 0.0

    def to_original(self, points: Tensor) -> Tensor:
        """Map positions [..., 2] px in the view to the original image."""
        upright = turn_points_back(points, image_size=self.resized_size, angle=self.turn)
        return from_resized(upright, scale=self.scale)

    def from_original(self, points: Tensor) -> Tensor:
        """Map positions [..., 2] px in the original image to the view."""
        resized = to_resized(points, scale=self.scale)
        return turn_points(resized, image_size=self.resized_size, angle=self.turn)


@dataclass(frozen=True, kw_only=True)
class WarpMap:
    """Where positions of an image lie in a copy under an affine map.

    Attributes:
        canvas: The map to px of the copy, and its size.
        original: The map back, and the size of the image.
        length_scale: The geometric mean by which the map changes lengths.
    """

    canvas: ViewFrame
    original: ViewFrame
    length_scale: float

    def to_original(self, points: Tensor) -> Tensor:
        """Map positions [..., 2] px in the view to the original image."""
        return self.original.from_original(points)

    def from_original(self, points: Tensor) -> Tensor:
        """Map positions [..., 2] px in the original image to the view."""
        return self.canvas.from_original(points)


@dataclass(frozen=True, kw_only=True)
class PerspectiveMap:
    """Where positions of an image lie in a copy under a homography.

    Attributes:
        canvas: The map to px of the copy, and its size.
        length_scale: The geometric mean by which the map changes lengths at the copy's centre.
    """

    canvas: ViewFrame
    length_scale: float

    def to_original(self, points: Tensor) -> Tensor:
        """Map positions [..., 2] px in the view to the original image."""
        return self.canvas.to_original(points)

    def from_original(self, points: Tensor) -> Tensor:
        """Map positions [..., 2] px in the original image to the view."""
        return self.canvas.from_original(points)


@dataclass(frozen=True, kw_only=True)
class ViewSampler:
    """Describes positions in an image by what a detector knows about a view of it.

    Attributes:
        place: Where the positions lie in the view.
        describe: Describes positions in the view.
    """

    place: TurnMap | WarpMap | PerspectiveMap
    describe: DescriptorSampler

    def __call__(self, positions: Tensor) -> Tensor:
        """Describe positions [M, 2] px of the original image, [M, D]."""
        return self.describe(self.place.from_original(positions))


@dataclass(frozen=True, kw_only=True)
class View:
    """A copy of an image as a detector sees it.

    Attributes:
        image: [3, H, W] float32 in [0, 1], RGB.
        mask: [H, W] bool, or None where every pixel is allowed.
        place: Where positions of the image lie in the copy.
    """

    image: Tensor
    mask: Tensor | None
    place: TurnMap | WarpMap | PerspectiveMap

    def turned(self, turn: float) -> "View":
        """Return a copy of an upright view that is turned.

        Args:
            turn: Degrees from the x towards the y axis.

        Raises:
            ValueError: If the turn is not finite, or the view is warped.
        """
        if turn % 360 == 0:
            return self
        if not isinstance(self.place, TurnMap):
            raise ValueError("only upright views are turned: make the turn a part of the map")
        mask = self.mask
        if mask is None and turn % 90:
            mask = torch.ones(self.image.shape[1:], dtype=torch.bool, device=self.image.device)
        return View(
            image=turn_image(self.image, angle=turn),
            mask=None if mask is None else turn_mask(mask, angle=turn),
            place=replace(self.place, turn=turn),
        )

    def in_original(self, points: Points) -> Points:
        """Map keypoints in the view to the original image, and what describes further ones.

        The result keeps neither the image nor the mask alive, unless ``points.describe`` does.
        """
        return Points(
            keypoints=self.place.to_original(points.keypoints),
            scores=points.scores,
            descriptors=points.descriptors,
            describe=ViewSampler(place=self.place, describe=points.describe),
        )


def upright_view(
    image: Tensor,
    mask: Tensor | None,
    *,
    resize: ResizeConfig,
    contrast: ContrastConfig | None = None,
) -> View:
    """Stretch the contrast of an image, and resize it and its mask.

    Args:
        image: [3, H, W] float32 in [0, 1], RGB.
        mask: [H, W] bool, or None.
        resize: The rule for its size.
        contrast: The rule for its contrast; None to take the image as it is.

    Returns:
        The view, which is not turned, on the device of ``image``.

    Raises:
        ShapeError: If the image or the mask has another shape.
    """
    check_image(image, mask, owner="FeatureExtractor")
    if contrast is not None:
        image = stretch_contrast(image, config=contrast)
    resized, scale = resize_image(image, config=resize)
    if mask is not None:
        mask = resize_mask(mask.to(image.device, torch.bool), config=resize)
    height, width = resized.shape[1:]
    return View(
        image=resized,
        mask=mask,
        place=TurnMap(
            scale=scale,
            resized_size=(width, height),
            length_scale=math.sqrt(height * width / (image.shape[1] * image.shape[2])),
        ),
    )


def warped_view(
    image: Tensor,
    mask: Tensor | None,
    *,
    frame: ViewFrame,
    resize: ResizeConfig,
    contrast: ContrastConfig | None = None,
) -> View:
    """Stretch the contrast of an image, and warp it and its mask.

    Args:
        image: [3, H, W] float32 in [0, 1], RGB.
        mask: [H, W] bool, or None.
        frame: The map, and the size of the view.
        resize: The rule for the size of the copy: it shows what ``frame`` says, and no more
            pixels than a photograph of the size of the frame would keep.
        contrast: The rule for the contrast; None to take the image as it is.

    Returns:
        The view on the device of ``image``; its mask leaves out what is not in the image.

    Raises:
        ShapeError: If the image or the mask has another shape.
    """
    check_image(image, mask, owner="FeatureExtractor")
    if contrast is not None:
        image = stretch_contrast(image, config=contrast)
    size = resized_size(frame.size, config=resize)
    smaller = resizing([new / old for new, old in zip(size, frame.size, strict=True)])
    if not frame.is_affine:
        return _view_in_perspective(image, mask, frame=frame, smaller=smaller, size=size)
    affine = compose(smaller, np.array(frame.affine))
    height, width = image.shape[1:]
    return View(
        image=warp_image(image, affine, size=size),
        mask=warp_mask(mask, affine, size=size, like=image),
        place=WarpMap(
            canvas=ViewFrame(affine=as_rows(affine), size=size),
            original=ViewFrame(affine=as_rows(inverse(affine)), size=(width, height)),
            length_scale=stretch(affine).scale,
        ),
    )


def _view_in_perspective(
    image: Tensor,
    mask: Tensor | None,
    *,
    frame: ViewFrame,
    smaller: np.ndarray,
    size: tuple[int, int],
) -> View:
    """Warp an image and its mask by the homography of a frame, reduced by ``smaller`` [2, 3]."""
    rows = np.array(frame.affine)
    last = np.array(frame.perspective)
    canvas = ViewFrame(
        affine=as_rows(smaller[:, :2] @ rows + np.outer(smaller[:, 2], last)),
        size=size,
        perspective=frame.perspective,
    )
    return View(
        image=warp_in_perspective(image, canvas),
        mask=warp_mask_in_perspective(mask, canvas, like=image),
        place=PerspectiveMap(canvas=canvas, length_scale=stretch(canvas.central_affine).scale),
    )


def check_image(image: Tensor, mask: Tensor | None, *, owner: str) -> None:
    """Check that an image is [3, H, W] and its mask, if there is one, is [H, W].

    Args:
        image: The image.
        mask: Its mask, or None.
        owner: What needs them, for the error message.

    Raises:
        ShapeError: If the image or the mask has another shape.
    """
    specs = {"image": "3 H W"} | ({} if mask is None else {"mask": "H W"})
    arrays = {"image": image} | ({} if mask is None else {"mask": mask})
    check_shapes(owner, arrays, specs)


def nearest_quarter_turn(turn: float) -> float:
    """Return the multiple of 90 degrees that is nearest to a turn in degrees."""
    return 90.0 * round(turn / 90)
