"""Matchers of the package vismatch, when it is installed."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gluestick.features.image_batch import (
    OneOrMoreImages,
    OneOrMoreLines,
    OneOrMoreMasks,
    as_image_batch,
)
from gluestick.geometry.pixels import from_resized
from gluestick.images import ResizeConfig, resize_image
from gluestick.peers.scored_matches import keypoint_matches, keypoint_nodes, log_assignment_of
from gluestick.timing import NO_TIMES, StageTimer
from gluestick.types import Matches, Wireframe, pad_and_stack

PREFIX = "vismatch:"
"""Marks the name of a matcher of vismatch, as in ``vismatch:loftr``."""

_LOWEST_SCORE = 1e-6
"""The score of a match whose confidence is 0 or less, so that it still is a match."""


class _Pair(NamedTuple):
    """The keypoints of two images, the first of which correspond.

    Attributes:
        keypoints0: [N0, 2] px.
        keypoints1: [N1, 2] px.
        scores: [S] in (0, 1]; keypoint s of image 0 matches keypoint s of image 1.
    """

    keypoints0: Tensor
    keypoints1: Tensor
    scores: Tensor


class VismatchMatcher(nn.Module):
    """Matches the keypoints of two images with a matcher of vismatch.

    Such matchers take both images at once, so there are no wireframes of single images to match.
    The keypoints of a wireframe are those that were matched and then, as far as the matcher
    tells, the others that it detected; there are no lines.

    Args:
        network: What ``vismatch.get_matcher`` returned.
        resize: How images are resized first.
        max_num_keypoints: How many matches are kept at most, those of the highest confidence,
            and how many keypoints with them; None for all.
    """

    def __init__(
        self, network: Any, *, resize: ResizeConfig, max_num_keypoints: int | None
    ) -> None:
        super().__init__()
        self.network = network
        self.resize = resize
        self.max_num_keypoints = max_num_keypoints

    @property
    def device(self) -> torch.device:
        """The device of the parameters; the CPU for a matcher without any."""
        parameter = next(self.parameters(), None)
        return torch.device("cpu") if parameter is None else parameter.device

    @torch.no_grad()
    def forward(
        self,
        image0: OneOrMoreImages,
        image1: OneOrMoreImages,
        *,
        mask0: OneOrMoreMasks | None = None,
        mask1: OneOrMoreMasks | None = None,
        lines0: OneOrMoreLines | None = None,
        lines1: OneOrMoreLines | None = None,
        timer: StageTimer | None = None,
    ) -> tuple[Wireframe, Wireframe, Matches]:
        """Match two images, or a batch of pairs of images, one pair after the other.

        Args:
            image0: One image or a sequence of B images, as for
                :class:`gluestick.pipeline.PointLineMatcher`.
            image1: As many.
            mask0: Not supported.
            mask1: Not supported.
            lines0: Not supported.
            lines1: Not supported.
            timer: Where the seconds are added up, all of them to the stage "matching".

        Returns:
            The wireframes of both sides, with descriptors of size 1 that say nothing, and the
            matches between them.

        Raises:
            ValueError: If an image is not one, the numbers of images differ, or masks or lines
                are given.
        """
        if any(given is not None for given in (mask0, mask1, lines0, lines1)):
            raise ValueError("a matcher of vismatch takes no masks and no lines: leave them out")
        images0, images1 = (as_image_batch(image).images for image in (image0, image1))
        if len(images0) != len(images1):
            raise ValueError(
                "both sides need the same number of images, found "
                f"{len(images0)} and {len(images1)}"
            )
        with (timer or NO_TIMES).stage("matching"):
            pairs = [self._match_pair(*pair) for pair in zip(images0, images1, strict=True)]
        wireframe0 = _wireframe([pair.keypoints0 for pair in pairs], images0)
        wireframe1 = _wireframe([pair.keypoints1 for pair in pairs], images1)
        return wireframe0, wireframe1, _matches(wireframe0, wireframe1, pairs)

    def _match_pair(self, image0: Tensor, image1: Tensor) -> _Pair:
        network: Any = self.network
        network.device = str(self.device)
        (resized0, scale0), (resized1, scale1) = (
            resize_image(image.to(self.device), config=self.resize) for image in (image0, image1)
        )
        result = network(resized0, resized1)
        matched0, matched1 = (_points(result[f"matched_kpts{side}"]) for side in "01")
        confidences = result.get("matched_confidences")
        if confidences is None:
            scores = torch.ones(len(matched0))
        else:
            scores = torch.as_tensor(confidences).float()
            scores = scores / scores.max().clamp_min(1) if len(scores) else scores
        kept = scores.argsort(descending=True, stable=True)[: self.max_num_keypoints]
        keypoints0, keypoints1 = (
            _with_others(matched[kept], _points(result.get(f"all_kpts{side}")), matched)
            for side, matched in (("0", matched0), ("1", matched1))
        )
        return _Pair(
            from_resized(keypoints0[: self.max_num_keypoints], scale=scale0.cpu()),
            from_resized(keypoints1[: self.max_num_keypoints], scale=scale1.cpu()),
            scores[kept].clamp_min(_LOWEST_SCORE),
        )


def load_vismatch(
    name: str, *, resize: ResizeConfig, max_num_keypoints: int | None
) -> VismatchMatcher:
    """Load a matcher of vismatch, which may download its weights.

    Args:
        name: Its name there, such as "loftr".
        resize: How images are resized first.
        max_num_keypoints: How many keypoints at most.

    Raises:
        ValueError: If vismatch is not installed or has no such matcher.
    """
    try:
        vismatch = import_module("vismatch")
    except ImportError as error:
        raise ValueError(
            f"{PREFIX}{name} needs the package vismatch: install it with pip install vismatch"
        ) from error
    if name not in vismatch.available_models:
        raise ValueError(
            f"vismatch has no matcher {name!r}; it has: {', '.join(vismatch.available_models)}"
        )
    budget = {} if max_num_keypoints is None else {"max_num_keypoints": max_num_keypoints}
    network = vismatch.get_matcher(name, device="cpu", **budget)
    network.skip_ransac = True
    return VismatchMatcher(network, resize=resize, max_num_keypoints=max_num_keypoints).eval()


def _points(points: Any) -> Tensor:
    """Return points as float32 on the CPU, [0, 2] for None."""
    return torch.zeros(0, 2) if points is None else torch.as_tensor(points).float().reshape(-1, 2)


def _with_others(kept: Tensor, detected: Tensor, matched: Tensor) -> Tensor:
    """Append the detected keypoints that were not matched, [N, 2]."""
    among_matched = (detected[:, None] == matched[None]).all(2).any(1)
    return torch.cat([kept, detected[~among_matched]])


def _wireframe(keypoints: Sequence[Tensor], images: Sequence[Tensor]) -> Wireframe:
    """Return wireframes of keypoints [N, 2] px alone, on the CPU."""
    batch_size = len(images)
    padded = pad_and_stack(keypoints)
    mask = pad_and_stack([torch.ones(len(points), dtype=torch.bool) for points in keypoints])
    lines = torch.zeros(batch_size, 0, 2, 2)
    return Wireframe(
        image_size=torch.tensor([image.shape[:0:-1] for image in images]),
        keypoints=padded,
        keypoint_scores=mask.float(),
        descriptors=mask[..., None].float(),
        keypoint_mask=mask,
        num_junctions=torch.zeros(batch_size, dtype=torch.int64),
        lines=lines,
        detected_lines=lines,
        line_scores=torch.zeros(batch_size, 0),
        line_mask=torch.zeros(batch_size, 0, dtype=torch.bool),
        line_junctions=torch.zeros(batch_size, 0, 2, dtype=torch.int64),
        edge_index=torch.zeros(2, 0, dtype=torch.int64),
    )


def _matches(wireframe0: Wireframe, wireframe1: Wireframe, pairs: Sequence[_Pair]) -> Matches:
    masks = keypoint_nodes(wireframe0), keypoint_nodes(wireframe1)
    scores = torch.zeros(len(pairs), masks[0].shape[1], masks[1].shape[1])
    for row, pair in enumerate(pairs):
        matched = torch.arange(len(pair.scores))
        scores[row, matched, matched] = pair.scores
    return keypoint_matches(
        wireframe0, wireframe1, log_assignment_of(scores, *masks), threshold=0.0
    )
