"""What is found in a pair of images, with the truth about it, to be cut to any budget."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from gluestick.features.extractor import FeatureExtractor
from gluestick.supervision.reprojection import Reprojection
from gluestick.supervision.same_lines import SameLines, best_partners
from gluestick.training.examples.batches import Batch
from gluestick.training.examples.pairs import PairKind, TrainingPair
from gluestick.training.examples.truth import carry_points, node_truth, same_lines_between
from gluestick.types import Features, Wireframe
from gluestick.wireframe.build import WireframeConfig, build_wireframe


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much of an image is used.

    Attributes:
        num_keypoints: How many keypoints, the strongest.
        num_lines: How many lines, the best.
        least_length: px, of lines.
    """

    num_keypoints: int
    num_lines: int
    least_length: float


@dataclass(frozen=True, kw_only=True)
class ImageFeatures:
    """What is found in one image of a pair.

    Attributes:
        image_size: [2] int64, (width, height) px.
        scale: [], the size in which features were found over that of the image.
        keypoints: [N, 2] px, strongest first.
        keypoint_scores: [N].
        descriptors: [N, D] float16.
        lines: [L, 2, 2] px, best first.
        line_scores: [L].
        side_colors: [L, 2, C] float16.
        endpoint_descriptors: [L, 2, D] float16, at the endpoints.
        carried: [N + 2 L, 2] px, where keypoints and endpoints are in the other image; NaN where
            that is not known.
        visible: [N + 2 L] bool, whether they can be seen there.
        judged: [L] bool, whether the truth about a line is known.
    """

    image_size: Tensor
    scale: Tensor
    keypoints: Tensor
    keypoint_scores: Tensor
    descriptors: Tensor
    lines: Tensor
    line_scores: Tensor
    side_colors: Tensor
    endpoint_descriptors: Tensor
    carried: Tensor
    visible: Tensor
    judged: Tensor

    def chosen_lines(self, budget: Budget) -> Tensor:
        """Return the indices of the lines within a budget."""
        lengths = (self.lines[:, 1] - self.lines[:, 0]).norm(dim=1)
        return (lengths >= budget.least_length).nonzero()[: budget.num_lines, 0]

    def wireframe(self, budget: Budget, config: WireframeConfig) -> Wireframe:
        """Connect what is within a budget. Merged endpoints are described by the nearest one."""
        chosen, number = self.chosen_lines(budget), budget.num_keypoints
        lines = self.lines[chosen]
        features = Features(
            image_size=self.image_size[None],
            keypoints=self.keypoints[None, :number],
            keypoint_scores=self.keypoint_scores[None, :number],
            descriptors=self.descriptors[None, :number].float(),
            keypoint_mask=torch.ones_like(self.keypoint_scores[None, :number], dtype=torch.bool),
            lines=lines[None],
            line_scores=self.line_scores[None, chosen],
            line_mask=torch.ones_like(chosen, dtype=torch.bool)[None],
            describe=(
                _NearestSampler(
                    positions=lines.flatten(0, 1),
                    descriptors=self.endpoint_descriptors[chosen].flatten(0, 1).float(),
                ),
            ),
            side_colors=self.side_colors[None, chosen].float(),
            scales=(float(self.scale),),
        )
        return build_wireframe(features, config=config)

    def reprojection(self, wireframe: Wireframe, budget: Budget) -> Reprojection:
        """Return the nodes of a wireframe of this image in the other image.

        A junction is as far from its nearest endpoint there as it is here.
        """
        num_keypoints, number = len(self.keypoints), int(wireframe.num_junctions)
        chosen = num_keypoints + 2 * self.chosen_lines(budget)
        chosen = torch.stack([chosen, chosen + 1], dim=1).flatten()
        endpoints = self.lines.flatten(0, 1)[chosen - num_keypoints]
        junctions = wireframe.keypoints[0, :number]
        nearest = _nearest(junctions, endpoints)
        taken = torch.cat([chosen[nearest], torch.arange(num_keypoints)[: budget.num_keypoints]])
        positions = self.carried[taken]
        positions[:number] += junctions - endpoints[nearest]
        known = positions.isfinite().all(1)
        visible = self.visible[taken] & known
        return Reprojection(positions[None], known[None], visible[None], (known & ~visible)[None])


@dataclass(frozen=True, kw_only=True)
class PairFeatures:
    """What is found in both images of a pair, and the truth about it.

    Attributes:
        kind: How the pair was made.
        image0: What is found in image 0.
        image1: What is found in image 1.
        same: [S, 2] int64, the pairs of lines that are parts of one line.
        overlap: [S] in [0, 1], how much of both they have in common.
    """

    kind: PairKind
    image0: ImageFeatures
    image1: ImageFeatures
    same: Tensor
    overlap: Tensor

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays that are kept on disk."""
        values = {"same": self.same.to(torch.int16), "overlap": self.overlap.half()}
        for side, image in (("0", self.image0), ("1", self.image1)):
            for field in fields(image):
                values[f"{field.name}{side}"] = getattr(image, field.name)
        return {name: value.numpy() for name, value in values.items()}

    @classmethod
    def from_arrays(cls, kind: PairKind, arrays: Mapping[str, np.ndarray]) -> "PairFeatures":
        """Return what :meth:`arrays` was taken from."""
        values = {name: torch.from_numpy(array) for name, array in arrays.items()}
        image0, image1 = (
            ImageFeatures(
                **{field.name: values[f"{field.name}{side}"] for field in fields(ImageFeatures)}
            )
            for side in "01"
        )
        same, overlap = values["same"].long(), values["overlap"].float()
        return cls(kind=kind, image0=image0, image1=image1, same=same, overlap=overlap)

    def cut(self, budget: Budget, config: WireframeConfig, *, apart: bool = True) -> Batch:
        """Return a batch of this pair with what is within a budget.

        Args:
            budget: The budget of each image.
            config: How keypoints and lines are connected; it keeps every keypoint.
            apart: Whether junctions match junctions only, and keypoints keypoints.
        """
        images = self.image0, self.image1
        wireframes = [image.wireframe(budget, config) for image in images]
        lines = self._same_lines(budget)
        carried = [
            image.reprojection(wireframe, budget)
            for image, wireframe in zip(images, wireframes, strict=True)
        ]
        return Batch(
            wireframe0=wireframes[0],
            wireframe1=wireframes[1],
            lines=lines,
            partners=best_partners(lines),
            nodes=node_truth(wireframes, carried, apart=apart),
        )

    def _same_lines(self, budget: Budget) -> SameLines:
        chosen0, chosen1 = self.image0.chosen_lines(budget), self.image1.chosen_lines(budget)
        overlap = torch.zeros(len(self.image0.lines), len(self.image1.lines))
        overlap[self.same[:, 0], self.same[:, 1]] = self.overlap.clamp(min=1e-3)
        overlap = overlap[chosen0][:, chosen1][None]
        known = self.image0.judged[chosen0][:, None] & self.image1.judged[chosen1]
        return SameLines(same=overlap > 0, overlap=overlap, known=known[None])


@torch.no_grad()
def describe_pair(
    pair: TrainingPair, extractor: FeatureExtractor, *, device: torch.device | str
) -> PairFeatures:
    """Find and describe what is in both images of a pair, on the device, and give it back.

    Args:
        pair: The pair.
        extractor: Detects and describes keypoints, with colours beside the lines.
        device: Where the extractor is.

    Returns:
        The features on the CPU.
    """
    found = [
        extractor([image.to(device).float() / 255], lines=[lines.to(device)])
        for image, lines in zip(pair.images, pair.lines, strict=True)
    ]
    lines = same_lines_between(pair, found[0].lines, found[1].lines)
    judged = lines.known[0].any(1), lines.known[0].any(0)
    image0, image1 = (
        _image_features(pair, side, features, own)
        for side, (features, own) in enumerate(zip(found, judged, strict=True))
    )
    same = lines.same[0].nonzero()
    return PairFeatures(
        kind=pair.kind,
        image0=image0,
        image1=image1,
        same=same.cpu(),
        overlap=lines.overlap[0][same[:, 0], same[:, 1]].cpu(),
    )


@dataclass(frozen=True, kw_only=True)
class _NearestSampler:
    """Describes a position as the nearest one that was described."""

    positions: Tensor
    descriptors: Tensor

    def __call__(self, positions: Tensor) -> Tensor:
        return self.descriptors[_nearest(positions, self.positions)]


def _nearest(positions: Tensor, among: Tensor) -> Tensor:
    if len(positions) == 0:
        return torch.zeros(0, dtype=torch.int64)
    return torch.cdist(positions, among, compute_mode="donot_use_mm_for_euclid_dist").argmin(1)


def _image_features(
    pair: TrainingPair, side: int, features: Features, judged: Tensor
) -> ImageFeatures:
    assert features.side_colors is not None
    endpoints = features.lines[0].flatten(0, 1)
    described = features.descriptors.new_zeros(0, features.descriptors.shape[2])
    if len(endpoints):
        described = features.describe[0](endpoints)
    carried = carry_points(pair, torch.cat([features.keypoints[0], endpoints])[None], side=side)
    values = {
        "image_size": features.image_size[0],
        "scale": torch.tensor(features.scales[0]),
        "keypoints": features.keypoints[0],
        "keypoint_scores": features.keypoint_scores[0],
        "descriptors": features.descriptors[0].half(),
        "lines": features.lines[0],
        "line_scores": features.line_scores[0],
        "side_colors": features.side_colors[0].half(),
        "endpoint_descriptors": described.unflatten(0, (-1, 2)).half(),
        "carried": torch.where(carried.known[..., None], carried.positions, torch.nan)[0],
        "visible": carried.visible[0],
        "judged": judged,
    }
    return ImageFeatures(**{name: value.cpu() for name, value in values.items()})
