"""The extraction of one image in two parts, of which the first can be ahead of others."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from gluestick.images.view import View
from gluestick.timing import StageTimer
from gluestick.transfers import small_tensor
from gluestick.types import Features, Lines, Points, ViewFrame


class PreparedImage(NamedTuple):
    """An image as the detectors see it.

    Attributes:
        size: (width, height) px of the image.
        frame: In which view it is seen, or None for the image as it is.
        seen: What the point detector sees.
        untouched: What colours are read from.
        find_lines: Returns the segments in px of the image, on the device of the views.
    """

    size: tuple[int, int]
    frame: ViewFrame | None
    seen: View
    untouched: View
    find_lines: Callable[[], Lines]


@dataclass(frozen=True, kw_only=True)
class Look:
    """Extracts the features of one image.

    Attributes:
        prepare: Shows the image to the detectors; where threads are given, they begin to find its
            lines.
        finish: Finds the features.
    """

    prepare: Callable[[Executor | None], PreparedImage]
    finish: Callable[[PreparedImage, StageTimer], Features]

    def __call__(self, timer: StageTimer) -> Features:
        """Extract the features, and add up the seconds of the stages."""
        return self.begin(timer)()

    def begin(self, timer: StageTimer, threads: Executor | None = None) -> Callable[[], Features]:
        """Prepare the image, and return what extracts the features then.

        Args:
            timer: Where the seconds of the stages are added up.
            threads: Where lines are found meanwhile; None to find them in turn.
        """
        with timer.stage("keypoints"):
            prepared = self.prepare(threads)
        return partial(self.finish, prepared, timer)


def features_of(
    prepared: PreparedImage, points: Points, lines: Lines, colors: Tensor | None
) -> Features:
    """Put together what was found in one image, whose colours may be None."""
    device = points.keypoints.device
    whole = torch.zeros(0, dtype=torch.int64, device=device)

    def all_true(values: Tensor) -> Tensor:
        return torch.ones(1, len(values), dtype=torch.bool, device=device)

    return Features(
        image_size=small_tensor(prepared.size, like=whole)[None],
        keypoints=points.keypoints[None],
        keypoint_scores=points.scores[None],
        descriptors=points.descriptors[None],
        keypoint_mask=all_true(points.keypoints),
        lines=lines.lines[None].to(device),
        line_scores=lines.scores[None].to(device),
        line_mask=all_true(lines.lines),
        describe=(points.describe,),
        side_colors=None if colors is None else colors[None].to(device),
        views=(prepared.frame,),
        scales=(prepared.seen.place.length_scale,),
    )
