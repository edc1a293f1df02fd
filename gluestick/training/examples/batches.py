"""From pairs of images to what a network sees."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gluestick.features.extractor import FeatureExtractor
from gluestick.supervision.rules import TrueMatches
from gluestick.supervision.same_lines import SameLines, best_partners
from gluestick.training.examples.pairs import TrainingPair
from gluestick.training.examples.truth import (
    carry_points,
    node_truth,
    same_lines_between,
    stack_same_lines,
    stack_true_matches,
)
from gluestick.types import Features, Wireframe
from gluestick.wireframe.build import WireframeConfig, build_wireframe
from gluestick.wireframe.collate import stack_wireframes


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Pairs as a network sees them.

    Attributes:
        wireframe0: The wireframes of the images 0.
        wireframe1: The wireframes of the images 1.
        lines: Which of their lines are the same.
        partners: [B, L0, L1] bool, the best partners among them, at most one for each line.
        nodes: The true matches of their nodes, where they are known.
    """

    wireframe0: Wireframe
    wireframe1: Wireframe
    lines: SameLines
    partners: Tensor
    nodes: TrueMatches | None = None

    def to(self, device: torch.device | str) -> "Batch":
        """Return a copy on another device."""
        return Batch(
            wireframe0=self.wireframe0.to(device),
            wireframe1=self.wireframe1.to(device),
            lines=SameLines(*(value.to(device) for value in self.lines)),
            partners=self.partners.to(device),
            nodes=self.nodes and TrueMatches(*(value.to(device) for value in self.nodes)),
        )


@torch.no_grad()
def make_batch(
    pairs: Sequence[TrainingPair],
    extractor: FeatureExtractor,
    wireframe: WireframeConfig,
    *,
    device: torch.device | str,
    apart: bool = True,
) -> Batch:
    """Find the keypoints of pairs of images, connect them with their lines, and find the truth.

    Args:
        pairs: At least one pair.
        extractor: Detects and describes keypoints, with the largest budget of any pair.
        wireframe: How keypoints and lines are connected.
        device: Where the extractor is.
        apart: Whether junctions match junctions only, and keypoints keypoints.

    Returns:
        The batch on that device.
    """
    return join_batches(
        [_single(pair, extractor, wireframe, device=device, apart=apart) for pair in pairs]
    )


def join_batches(batches: Sequence[Batch]) -> Batch:
    """Put batches of one pair each into one."""
    if len(batches) == 1:
        return batches[0]
    lines = stack_same_lines([batch.lines for batch in batches])
    nodes = [batch.nodes for batch in batches if batch.nodes is not None]
    return Batch(
        wireframe0=stack_wireframes([batch.wireframe0 for batch in batches]),
        wireframe1=stack_wireframes([batch.wireframe1 for batch in batches]),
        lines=lines,
        partners=best_partners(lines),
        nodes=stack_true_matches(nodes) if len(nodes) == len(batches) else None,
    )


def _single(
    pair: TrainingPair,
    extractor: FeatureExtractor,
    wireframe: WireframeConfig,
    *,
    device: torch.device | str,
    apart: bool,
) -> Batch:
    found = [
        build_wireframe(_features(pair, side, extractor, device), config=wireframe)
        for side in (0, 1)
    ]
    carried = [carry_points(pair, own.keypoints, side=side) for side, own in enumerate(found)]
    lines = same_lines_between(pair, *(own.detected_lines for own in found))
    return Batch(
        wireframe0=found[0],
        wireframe1=found[1],
        lines=lines,
        partners=best_partners(lines),
        nodes=node_truth(found, carried, apart=apart),
    )


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
