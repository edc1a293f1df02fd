"""A line detector for those who want keypoints alone."""

import torch
from torch import Tensor

from gluestick.features.lines.scores import LineSelectionConfig
from gluestick.types import Lines


class NoLines:
    """Finds no line segment in any image."""

    def __init__(self, config: LineSelectionConfig | None = None) -> None:
        self.config = config or LineSelectionConfig()

    def detect(self, image: Tensor, *, mask: Tensor | None = None) -> Lines:
        """Return no segments, on the device of ``image``; arguments as for any line detector."""
        return Lines(
            lines=torch.zeros(0, 2, 2, device=image.device),
            scores=torch.zeros(0, device=image.device),
        )
