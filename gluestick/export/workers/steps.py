"""What is done to an image and to a pair, wherever it is done."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from gluestick.export.arrays import Arrays, matches_arrays, wireframe_arrays
from gluestick.export.folder_images import mask_path
from gluestick.export.stored_frame import in_stored_frame, stored_pixels
from gluestick.features.image_batch import ImageBatch
from gluestick.images.decode import upright
from gluestick.images.load import load_mask, load_oriented_image
from gluestick.matching.gluestick import GlueStickConfig
from gluestick.matching.lightgluestick_config import LightGlueStickConfig
from gluestick.matching.memory import PairCounts, matching_bytes
from gluestick.pipeline import PointLineMatcher
from gluestick.timing import NO_TIMES
from gluestick.types import Features, Wireframe
from gluestick.wireframe.build import build_wireframe
from gluestick.wireframe.collate import stack_wireframes

PAIRS_ON_GPU = 16
"""How many pairs a GPU matches at once at most."""

_SHARE_OF_FREE = 0.5
"""How much of a GPU's free memory a batch may take by the estimate."""


def usual_pairs_at_once(device: torch.device) -> int:
    """Return how many pairs are matched at once on a device, where its memory is enough."""
    return PAIRS_ON_GPU if device.type == "cuda" else 1


def pairs_that_fit(pairs: Sequence[tuple[Wireframe, Wireframe]], matcher: PointLineMatcher) -> int:
    """Return how many of the first pairs of single images are matched at once.

    Args:
        pairs: At least one.
        matcher: What matches them.

    Returns:
        At least 1: the usual number or, on a GPU, fewer where they might take more than half of
        the memory that is free there or kept by torch for reuse.
    """
    device, config = matcher.device, getattr(matcher.network, "config", None)
    most = min(usual_pairs_at_once(device), len(pairs))
    if most == 1:
        return 1
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    limit = _SHARE_OF_FREE * (torch.cuda.mem_get_info(device)[0] + unused)
    network = config if isinstance(config, LightGlueStickConfig | GlueStickConfig) else None
    counts = PairCounts.of(*pairs[0])
    for number, pair in enumerate(pairs[1:most], start=2):
        counts = counts.or_more(PairCounts.of(*pair))
        if matching_bytes(counts, network=network, pairs=number, padded=True) > limit:
            return number - 1
    return most


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

    @torch.no_grad()
    def begin(self, read: "ReadImage", turn: float, threads: Executor) -> Callable[[], Arrays]:
        """Begin to find the lines of an image on threads.

        Returns:
            What ends it and returns what :meth:`extract` does, to the bit.
        """
        extractor = self.matcher.extractor
        assert extractor is not None
        (look,) = extractor.looks([read.image], masks=[read.mask], turns=[turn])
        return partial(self._end, look.begin(NO_TIMES, threads), read.orientation)

    @torch.no_grad()
    def _end(self, finish: Callable[[], Features], orientation: int) -> Arrays:
        wireframe = build_wireframe(finish(), config=self.matcher.wireframe)
        return wireframe_arrays(in_stored_frame(wireframe, orientation=orientation))

    def match(
        self, pairs: Sequence[tuple[Wireframe, Wireframe]], *, at_once: int | None = None
    ) -> list[Arrays]:
        """Return the matches of pairs of single images.

        Args:
            pairs: The pairs.
            at_once: How many are matched at once; None for what is usual and fits into memory.
        """
        device, pairs = self.matcher.device, list(pairs)
        found: list[Arrays] = []
        while len(found) < len(pairs):
            left = pairs[len(found) :]
            batch = left[: at_once or pairs_that_fit(left, self.matcher)]
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
