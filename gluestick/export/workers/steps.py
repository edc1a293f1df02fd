"""What is done to an image and to a pair, wherever it is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from gluestick.export.arrays import Arrays, matches_arrays, wireframe_arrays
from gluestick.export.folder_images import mask_path
from gluestick.export.stored_frame import in_stored_frame, stored_pixels
from gluestick.features.image_batch import ImageBatch
from gluestick.images.decode import upright
from gluestick.images.load import load_mask, load_oriented_image
from gluestick.pipeline import PointLineMatcher
from gluestick.types import Wireframe
from gluestick.wireframe.collate import stack_wireframes

PAIRS_ON_GPU = 16
"""How many pairs a GPU matches at once."""


@dataclass(frozen=True)
class Failure:
    """Why something could not be done."""

    reason: str


@dataclass(frozen=True)
class FolderSteps:
    """Finds and matches what is in a folder of images.

    Attributes:
        matcher: How.
        image_dir: The folder.
        mask_dir: The folder of masks, or None.
    """

    matcher: PointLineMatcher
    image_dir: Path
    mask_dir: Path | None = None

    def read(self, name: str) -> "ReadImage | Failure":
        """Read an image and its mask."""
        try:
            image, orientation = load_oriented_image(self.image_dir / name)
            return ReadImage(image, self._mask(name, image, orientation), orientation)
        except (ValueError, OSError) as error:
            return Failure(str(error))

    def extract(self, read: "ReadImage", turn: float) -> Arrays:
        """Return the features of an image that is turned by some degrees, in stored pixels."""
        wireframe = self.matcher.extract(read.image, masks=read.mask, turns=[turn])
        return wireframe_arrays(in_stored_frame(wireframe, orientation=read.orientation))

    def match(self, pairs: Sequence[tuple[Wireframe, Wireframe]]) -> list[Arrays]:
        """Return the matches of pairs of single images, in batches on a GPU."""
        device = self.matcher.device
        size = PAIRS_ON_GPU if device.type == "cuda" else 1
        found = []
        for first in range(0, len(pairs), size):
            batch = pairs[first : first + size]
            batch0, batch1 = (
                stack_wireframes([wireframe.to(device) for wireframe in side], padded=False)
                for side in zip(*batch, strict=True)
            )
            matches = self.matcher.match(batch0, batch1)
            found += [
                matches_arrays(batch0, batch1, matches, index=row) for row in range(len(batch))
            ]
        return found

    def _mask(self, name: str, image: Tensor, orientation: int) -> Tensor | None:
        """Return the mask of an upright image [H, W] bool, None without one."""
        path = mask_path(self.mask_dir, name)
        if path is None:
            return None
        mask = torch.from_numpy(upright(load_mask(path).numpy(), orientation).copy())
        if mask.shape != image.shape[1:]:
            raise ValueError(
                f"the mask {path} has {' x '.join(map(str, mask.shape[::-1]))} px upright, and the "
                f"image {' x '.join(map(str, image.shape[:0:-1]))} px"
            )
        return mask


@dataclass(frozen=True)
class ReadImage:
    """An image as it was read.

    Attributes:
        image: [3, H, W], upright as EXIF says.
        mask: [H, W] bool, False where nothing is to be found, or None.
        orientation: What EXIF says.
    """

    image: Tensor
    mask: Tensor | None
    orientation: int

    def stored_batch(self) -> ImageBatch:
        """Return the image and its mask in stored pixels, a batch of one."""
        image, mask = (
            None if own is None else stored_pixels(own, orientation=self.orientation)
            for own in (self.image, self.mask)
        )
        assert image is not None
        return ImageBatch(images=[image], masks=None if mask is None else [mask])
