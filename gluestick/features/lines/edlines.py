"""EDLines line segments, by OpenCV's contributed modules."""

import cv2
import numpy as np
import torch
from torch import Tensor

from gluestick.features.lines.on_host import HostLineDetector
from gluestick.features.lines.scores import LineSelectionConfig, select_lines
from gluestick.types import Lines


class EDLines(HostLineDetector):
    """The line segment detector of Akinlar and Topal (Pattern Recognition Letters 2011).

    It links pixels to edge chains and fits segments to them, several times as fast as LSD. The
    chains run over whole pixels: without ``subpixel``, segments are up to half a pixel off the
    edge. The order of the endpoints means nothing. It runs on the CPU, and one object may serve
    several threads.
    """

    def __init__(self, config: LineSelectionConfig | None = None) -> None:
        if not hasattr(getattr(cv2, "ximgproc", None), "createEdgeDrawing"):
            raise ValueError(
                "the line detector 'edlines' needs cv2.ximgproc.createEdgeDrawing, which OpenCV "
                f"{cv2.__version__} here does not have: uninstall all opencv packages and "
                "install opencv-contrib-python-headless"
            )
        self.config = config or LineSelectionConfig()

    def detect_gray(self, gray: np.ndarray, *, mask: Tensor | None = None) -> Lines:
        """Find line segments; see :class:`HostLineDetector`."""
        return select_lines(
            _segments(gray), self.config, gray=gray, mask=mask, device=torch.device("cpu")
        )


def _segments(gray: np.ndarray) -> np.ndarray:
    """Return all segments [L, 2, 2] float32 px."""
    detector = cv2.ximgproc.createEdgeDrawing()
    detector.detectEdges(gray)
    lines = detector.detectLines()
    if lines is None:
        return np.zeros((0, 2, 2), dtype=np.float32)
    return np.asarray(lines, dtype=np.float32).reshape(-1, 2, 2)
