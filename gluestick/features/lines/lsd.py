"""LSD line segments, by OpenCV."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import torch
from torch import Tensor

from gluestick.features.lines.local_contrast import even_contrast
from gluestick.features.lines.on_host import HostLineDetector
from gluestick.features.lines.scores import LineSelectionConfig, select_lines
from gluestick.types import Lines

_SCALE = 0.8
_OFFSET = 0.5 / _SCALE - 0.5
"""OpenCV scales by s = 0.8 and maps back x -> x / s; the exact way is (x + 0.5) / s - 0.5."""


@dataclass(frozen=True, kw_only=True)
class LSDConfig(LineSelectionConfig):
    """Options of :class:`LSD`, with those of :class:`LineSelectionConfig`.

    Attributes:
        refine: "adv" refines segments until they are significant and drops those that are not;
            "std" only splits bent ones, which finds about twice as many, faster.
        saliency: What is multiplied by the square root of the length to score a segment:
            "contrast", the square root of the mean contrast across it, or "nfa", the negative
            decimal logarithm of the number of false alarms, as the published GlueStick does
            (with "adv" only).
        local_contrast: Whether segments are looked for in an image that is stretched where its
            contrast is low, such as in shadows and fog; scores do not change by that.
    """

    refine: Literal["adv", "std"] = "adv"
    saliency: Literal["contrast", "nfa"] = "contrast"
    local_contrast: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, choices in (("refine", ("adv", "std")), ("saliency", ("contrast", "nfa"))):
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"{name} needs to be one of {choices}, found {getattr(self, name)!r}"
                )
        if self.saliency == "nfa" and self.refine != "adv":
            raise ValueError(
                f"saliency='nfa' needs refine='adv', found {self.refine!r}: choose one of the two"
            )


class LSD(HostLineDetector):
    """The line segment detector of Grompone von Gioi et al. (IPOL 2012).

    The endpoints are ordered by the polarity of the edge. It runs on the CPU, and one object
    may serve several threads.
    """

    def __init__(self, config: LSDConfig | None = None) -> None:
        self.config = config or LSDConfig()

    def detect_gray(self, gray: np.ndarray, *, mask: Tensor | None = None) -> Lines:
        """Find line segments; see :class:`HostLineDetector`."""
        stretched = even_contrast(gray) if self.config.local_contrast else gray
        lines, significance = self._segments(stretched)
        return select_lines(
            lines,
            self.config,
            gray=gray,
            mask=mask,
            device=torch.device("cpu"),
            saliency=significance.clip(min=0) if self.config.saliency == "nfa" else None,
        )

    def _segments(self, gray: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return all segments [L, 2, 2] float32 and their significance [L]."""
        refine = {"adv": cv2.LSD_REFINE_ADV, "std": cv2.LSD_REFINE_STD}[self.config.refine]
        found = cv2.createLineSegmentDetector(refine, _SCALE).detect(gray)
        lines, _, _, significance = found
        if lines is None:
            return np.zeros((0, 2, 2), dtype=np.float32), np.zeros(0)
        lines = lines.reshape(-1, 2, 2) + np.float32(_OFFSET)
        if significance is None:
            return lines, np.zeros(len(lines))
        return lines, significance.reshape(-1)
