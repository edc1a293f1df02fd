"""From pairs of images to what a network sees."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from gluestick.features.extractor import FeatureExtractor
from gluestick.supervision.reprojection import DepthPair
from gluestick.supervision.rules import GroundTruthConfig
from gluestick.supervision.same_lines import (
    SameLines,
    best_partners,
    same_lines_from_depth,
    same_lines_from_homography,
)
from gluestick.training.examples.pairs import TrainingPair
from gluestick.types import Features, Wireframe, pad_and_stack
from gluestick.wireframe.build import WireframeConfig, build_wireframe
from gluestick.wireframe.collate import stack_wireframes

TRUTH = GroundTruthConfig(depth_error=0.05)
"""The rule for the truth: depth is exact, so that what is hidden is told apart by 5%."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Pairs as a network sees them.

    Attributes:
        wireframe0: The wireframes of the images 0.
        wireframe1: The wireframes of the images 1.
        lines: Which of their lines are the same.
        partners: [B, L0, L1] bool, the best partners among them, at most one for each line.
    """

    wireframe0: Wireframe
    wireframe1: Wireframe
    lines: SameLines
    partners: Tensor

    def to(self, device: torch.device | str) -> "Batch":
        """Return a copy on another device."""
        return Batch(
            wireframe0=self.wireframe0.to(device),
            wireframe1=self.wireframe1.to(device),
            lines=SameLines(*(value.to(device) for value in self.lines)),
            partners=self.partners.to(device),
        )


@torch.no_grad()
def make_batch(
    pairs: Sequence[TrainingPair],
    extractor: FeatureExtractor,
    wireframe: WireframeConfig,
    *,
    device: torch.device | str,
) -> Batch:
    """Find the keypoints of pairs of images, connect them with their lines, and find the truth.

    Args:
        pairs: At least one pair.
        extractor: Detects and describes keypoints, with the largest budget of any pair.
        wireframe: How keypoints and lines are connected.
        device: Where the extractor is.

    Returns:
        The batch on that device.
    """
    sides = [
        [
            build_wireframe(_features(pair, side, extractor, device), config=wireframe)
            for pair in pairs
        ]
        for side in (0, 1)
    ]
    truths = [
        same_lines_between(pair, first, second, device=device)
        for pair, first, second in zip(pairs, *sides, strict=True)
    ]
    wireframe0, wireframe1 = (stack_wireframes(side) for side in sides)
    lines = stack_same_lines(truths)
    return Batch(
        wireframe0=wireframe0,
        wireframe1=wireframe1,
        lines=lines,
        partners=best_partners(lines),
    )


def same_lines_between(
    pair: TrainingPair,
    wireframe0: Wireframe,
    wireframe1: Wireframe,
    *,
    device: torch.device | str,
) -> SameLines:
    """Return which lines of one pair are the same."""
    lines0, lines1 = wireframe0.detected_lines, wireframe1.detected_lines
    if pair.H_0to1 is not None:
        return same_lines_from_homography(
            lines0,
            lines1,
            pair.H_0to1[None].to(device, torch.float64).to(lines0.dtype),
            image_size0=wireframe0.image_size,
            image_size1=wireframe1.image_size,
            config=TRUTH,
        )
    assert pair.depth is not None
    values = {field.name: getattr(pair.depth, field.name) for field in fields(DepthPair)}
    depth = DepthPair(**{name: value.to(device) for name, value in values.items()})
    return same_lines_from_depth(lines0, lines1, depth, config=TRUTH)


def stack_same_lines(truths: Sequence[SameLines]) -> SameLines:
    """Put the truths of single pairs into one batch; padding is not known."""
    columns = max(truth.same.shape[2] for truth in truths)
    stacked = []
    for values in zip(*truths, strict=True):
        wide = [
            torch.nn.functional.pad(value[0], (0, columns - value.shape[2])) for value in values
        ]
        stacked.append(pad_and_stack(wide))
    return SameLines(*stacked)


def _features(
    pair: TrainingPair, side: int, extractor: FeatureExtractor, device: torch.device | str
) -> Features:
    image = pair.images[side].to(device).float() / 255
    features = extractor([image], lines=[pair.lines[side].to(device)])
    number = pair.num_keypoints
    return replace(
        features,
        keypoints=features.keypoints[:, :number],
        keypoint_scores=features.keypoint_scores[:, :number],
        descriptors=features.descriptors[:, :number],
        keypoint_mask=features.keypoint_mask[:, :number],
    )
