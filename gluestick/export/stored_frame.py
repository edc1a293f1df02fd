"""Features of images that were read upright, in the pixels that their files store.

COLMAP pays no heed to the orientation that a camera writes into EXIF: its cameras and images have
the stored pixels, whichever of the eight orientations the file names (pycolmap 4.2.1, JPEG, PNG
and TIFF). Detectors see images upright.
"""

from dataclasses import replace

import torch
from torch import Tensor

from gluestick.images.decode import upright
from gluestick.types import ViewFrame, Wireframe

_SWAPPED = (5, 6, 7, 8)
_LEFT_RIGHT = (2, 3, 6, 7)
_UPSIDE_DOWN = (3, 4, 7, 8)
_INVERSE = {6: 8, 8: 6}
"""The orientations that are not their own inverse."""


def upright_frame(stored_size: tuple[int, int], *, orientation: int) -> ViewFrame | None:
    """Return where the upright image lies, as a view of the stored one.

    Args:
        stored_size: (width, height) px as stored.
        orientation: The EXIF orientation, 1 to 8 (TIFF 6.0, tag 274).

    Returns:
        The frame; None where the image is stored upright.
    """
    if orientation == 1:
        return None
    width, height = stored_size[::-1] if orientation in _SWAPPED else stored_size
    across = (0.0, 1.0, 0.0) if orientation in _SWAPPED else (1.0, 0.0, 0.0)
    down = (1.0, 0.0, 0.0) if orientation in _SWAPPED else (0.0, 1.0, 0.0)
    if orientation in _LEFT_RIGHT:
        across = (-across[0], -across[1], width - 1.0)
    if orientation in _UPSIDE_DOWN:
        down = (-down[0], -down[1], height - 1.0)
    return ViewFrame(affine=(across, down), size=(width, height))


def stored_pixels(image: Tensor, *, orientation: int) -> Tensor:
    """Return an upright image or mask [..., H, W] as its file stores it.

    Args:
        image: The image as :func:`gluestick.images.load.load_oriented_image` returns it.
        orientation: The EXIF orientation that was undone, 1 to 8.
    """
    pixels = image.movedim((-2, -1), (0, 1)).numpy()
    stored = upright(pixels, _INVERSE.get(orientation, orientation))
    return torch.from_numpy(stored.copy()).movedim((0, 1), (-2, -1)).contiguous()


def in_stored_frame(wireframe: Wireframe, *, orientation: int) -> Wireframe:
    """Move the features of an upright image to the pixels that its file stores.

    Args:
        wireframe: The features of one image, a batch of one, in px of the upright image, found
            in it as it is or turned by a multiple of 90 degrees.
        orientation: The EXIF orientation that was undone, 1 to 8; see
            :func:`gluestick.images.load.load_oriented_image`.

    Returns:
        The features in px of the stored image; their view is the one in which they were found,
        so that they match as before.
    """
    width, height = wireframe.image_size[0].tolist()
    back = upright_frame((width, height), orientation=_INVERSE.get(orientation, orientation))
    if back is None:
        return wireframe
    seen = upright_frame(back.size, orientation=orientation)
    assert seen is not None

    def moved(points: Tensor) -> Tensor:
        return back.from_original(points)

    return replace(
        wireframe,
        image_size=torch.tensor([back.size], device=wireframe.image_size.device),
        keypoints=moved(wireframe.keypoints),
        lines=moved(wireframe.lines),
        detected_lines=moved(wireframe.detected_lines),
        views=(_after(seen, wireframe.views[0]),),
    )


def _after(first: ViewFrame, second: ViewFrame | None) -> ViewFrame:
    """Return the view that one view of another view is."""
    if second is None:
        return first
    first_row, second_row, last_row = (
        tuple(row) for row in (second.matrix @ first.matrix).tolist()
    )
    return ViewFrame(
        affine=(first_row, second_row),
        size=second.size,
        perspective=second.perspective if second.is_affine else last_row,
    )
