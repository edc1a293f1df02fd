"""What becomes of detected segments: which are kept, how they are scored and ordered."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gluestick.checks import check_shapes
from gluestick.features.lines.edge_profiles import gray_gradient, refine_lines, root_contrast
from gluestick.geometry.lines import clip_to_image, line_lengths, lines_inside_mask
from gluestick.transfers import to_device
from gluestick.types import Lines


@dataclass(frozen=True, kw_only=True)
class LineSelectionConfig:
    """What every line detector does with the segments it finds.

    Attributes:
        max_num_lines: How many are kept at most, the best first, or None for all.
        min_length: The length that a segment needs, px of the image given to the detector.
        subpixel: Whether segments are moved across their direction onto the edge. On
            photographs this takes a quarter off the median distance to the same segment in
            another view.
    """

    max_num_lines: int | None = 250
    min_length: float = 15.0
    subpixel: bool = True

    def __post_init__(self) -> None:
        if self.max_num_lines is not None and self.max_num_lines < 1:
            raise ValueError(
                "max_num_lines needs to be at least 1, or None for no limit, found "
                f"{self.max_num_lines}: choose the line detector 'none' to have no lines"
            )
        if not 0 <= self.min_length < float("inf"):
            raise ValueError(f"min_length needs to be at least 0 px, found {self.min_length}")


def select_lines(
    lines: np.ndarray,
    config: LineSelectionConfig,
    *,
    gray: np.ndarray,
    mask: Tensor | None,
    device: torch.device,
    saliency: np.ndarray | None = None,
) -> Lines:
    """Keep the segments that can be used, best first.

    The score of a segment is its saliency times the square root of its length, a form taken
    from GlueStick (arXiv 2304.02008). With the square root of the contrast as the saliency, the
    best 250 segments repeat more under homographies than with the number of false alarms.

    Args:
        lines: [L, 2, 2] px, as a detector gives them.
        config: The options.
        gray: [H, W] uint8, the image.
        mask: [H, W] bool or None; segments lie entirely where it is True.
        device: Where the result goes.
        saliency: [L], at least 0; the square root of the mean contrast across the segment if
            left out.

    Returns:
        The segments, clipped to the image. Of equally good ones the earlier comes first.

    Raises:
        ShapeError: If the mask does not have the size of the image.
    """
    height, width = gray.shape
    kept = np.flatnonzero(_long_enough(lines, config.min_length))
    lines = lines[kept]
    gradient = gray_gradient(gray)
    if config.subpixel:
        lines = refine_lines(gradient, lines)
    lines = clip_to_image(lines, image_size=(width, height))
    usable = _long_enough(lines, config.min_length)
    if mask is not None:
        check_shapes("detect", {"image": gray, "mask": mask}, {"image": "H W", "mask": "H W"})
        usable &= lines_inside_mask(lines, mask.bool().cpu().numpy())
    lines, kept = lines[usable], kept[usable]

    weights = root_contrast(gradient, lines) if saliency is None else saliency[kept]
    scores = weights * np.sqrt(line_lengths(lines))
    order = np.argsort(-scores, kind="stable")[: config.max_num_lines]
    kept_lines, kept_scores = to_device(
        lines[order].astype(np.float32), scores[order].astype(np.float32), device=device
    )
    return Lines(lines=kept_lines, scores=kept_scores)


def _long_enough(lines: np.ndarray, min_length: float) -> np.ndarray:
    """Tell which segments have the length, and more than none: [L] bool."""
    lengths = line_lengths(lines)
    return (lengths >= min_length) & (lengths > 0)
