"""The values that flow between the steps.

All are frozen, keyword-only and shape-checked once, when they are built. Coordinates are
(x, y) in pixels of the original image, and the centre of the top-left pixel is (0, 0).
Letters in shapes: B batch, N keypoints, L lines, P wireframe nodes, D descriptor size,
E edges. Batched values are padded, and a mask says which entries are real.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from gluestick.checks import check_shapes

DescriptorSampler = Callable[[Tensor], Tensor]
"""Describes any positions: [M, 2] px -> [M, D], rows of unit norm."""

Value = TypeVar("Value", bound="_Value")


class _Value:
    """Shared by the dataclasses below: moving to a device."""

    def to(self: Value, device: torch.device | str) -> Value:
        """Return a copy with every tensor on ``device``."""
        moved = {
            field.name: value.to(device)
            for field in fields(self)  # type: ignore[arg-type]
            if isinstance(value := getattr(self, field.name), Tensor)
        }
        return replace(self, **moved)  # type: ignore[type-var]


def _check(value: Any, specs: dict[str, str]) -> None:
    check_shapes(type(value).__name__, {name: getattr(value, name) for name in specs}, specs)


@dataclass(frozen=True, kw_only=True)
class Points(_Value):
    """Keypoints of one image.

    Attributes:
        keypoints: [N, 2] px, strongest first.
        scores: [N], detection scores, higher is better.
        descriptors: [N, D], rows of unit norm.
        describe: Describes further positions in the same image.
    """

    keypoints: Tensor
    scores: Tensor
    descriptors: Tensor
    describe: DescriptorSampler

    def __post_init__(self) -> None:
        _check(self, {"keypoints": "N 2", "scores": "N", "descriptors": "N D"})


@dataclass(frozen=True, kw_only=True)
class Lines(_Value):
    """Line segments of one image.

    Attributes:
        lines: [L, 2, 2] px, the two endpoints, best first.
        scores: [L], higher is better.
    """

    lines: Tensor
    scores: Tensor

    def __post_init__(self) -> None:
        _check(self, {"lines": "L 2 2", "scores": "L"})


@dataclass(frozen=True, kw_only=True)
class Features(_Value):
    """Keypoints and line segments of a batch of images.

    Attributes:
        image_size: [B, 2] int64, (width, height) px.
        keypoints: [B, N, 2] px.
        keypoint_scores: [B, N].
        descriptors: [B, N, D], rows of unit norm.
        keypoint_mask: [B, N] bool, False for padding.
        lines: [B, L, 2, 2] px, the two endpoints.
        line_scores: [B, L].
        line_mask: [B, L] bool, False for padding.
        describe: One sampler per image, which describes further positions in it.
    """

    image_size: Tensor
    keypoints: Tensor
    keypoint_scores: Tensor
    descriptors: Tensor
    keypoint_mask: Tensor
    lines: Tensor
    line_scores: Tensor
    line_mask: Tensor
    describe: tuple[DescriptorSampler, ...]

    def __post_init__(self) -> None:
        _check(
            self,
            {
                "image_size": "B 2",
                "keypoints": "B N 2",
                "keypoint_scores": "B N",
                "descriptors": "B N D",
                "keypoint_mask": "B N",
                "lines": "B L 2 2",
                "line_scores": "B L",
                "line_mask": "B L",
            },
        )


@dataclass(frozen=True, kw_only=True)
class Wireframe(_Value):
    """A graph per image: nodes are line junctions and keypoints, edges are lines.

    Attributes:
        image_size: [B, 2] int64, (width, height) px.
        keypoints: [B, P, 2] px, the nodes: the junctions first, then the keypoints, then
            padding.
        keypoint_scores: [B, P].
        descriptors: [B, P, D], rows of unit norm.
        keypoint_mask: [B, P] bool, False for padding.
        num_junctions: [B] int64, how many of the nodes are junctions.
        lines: [B, L, 2, 2] px, with both endpoints snapped to their junctions.
        detected_lines: [B, L, 2, 2] px, as the detector gave them.
        line_scores: [B, L], divided by the best of the image.
        line_mask: [B, L] bool, False for padding.
        line_junctions: [B, L, 2] int64, the nodes at both endpoints, 0 for padding.
        edge_index: [2, E] int64, both directions of every line, without duplicates and
            self-loops, over the nodes of the whole batch: node p of image b has index
            b * P + p (torch-geometric's form).
    """

    image_size: Tensor
    keypoints: Tensor
    keypoint_scores: Tensor
    descriptors: Tensor
    keypoint_mask: Tensor
    num_junctions: Tensor
    lines: Tensor
    detected_lines: Tensor
    line_scores: Tensor
    line_mask: Tensor
    line_junctions: Tensor
    edge_index: Tensor

    def __post_init__(self) -> None:
        _check(
            self,
            {
                "image_size": "B 2",
                "keypoints": "B P 2",
                "keypoint_scores": "B P",
                "descriptors": "B P D",
                "keypoint_mask": "B P",
                "num_junctions": "B",
                "lines": "B L 2 2",
                "detected_lines": "B L 2 2",
                "line_scores": "B L",
                "line_mask": "B L",
                "line_junctions": "B L 2",
                "edge_index": "2 E",
            },
        )

    @property
    def batch_size(self) -> int:
        """The number of images."""
        return self.keypoints.shape[0]

    @property
    def junction_mask(self) -> Tensor:
        """[B, P] bool, True where a node is a junction."""
        index = torch.arange(self.keypoints.shape[1], device=self.keypoints.device)
        return index[None] < self.num_junctions[:, None]


@dataclass(frozen=True, kw_only=True)
class Matches(_Value):
    """Matches between the nodes and between the lines of two wireframes.

    A network that tells junctions from keypoints reports the matches of keypoint nodes in
    ``matches0`` and ``matches1`` (-1 at junctions), and those of junctions apart, in
    ``junction_matches0`` and ``junction_matches1``. One that treats all nodes alike reports
    one list in ``matches0`` and ``matches1``, and leaves the junctions' fields ``None``.

    Attributes:
        matches0: [B, P0] int64, the node of image 1 matched to each node of image 0, or -1.
        matches1: [B, P1] int64, the other way round.
        matching_scores0: [B, P0] in [0, 1], the probability of the best mutual partner,
            also where it is too low to count as a match; 0 without a mutual partner.
        matching_scores1: [B, P1].
        line_matches0: [B, L0] int64, as ``matches0`` for lines.
        line_matches1: [B, L1] int64.
        line_matching_scores0: [B, L0].
        line_matching_scores1: [B, L1].
        log_assignment: [B, P0+1, P1+1], log-probabilities; the last row and column stand
            for "unmatched"; -inf where a pair is impossible.
        line_log_assignment: [B, L0+1, L1+1], the same for lines.
        junction_matches0: [B, P0] int64 or None.
        junction_matches1: [B, P1] int64 or None.
        junction_matching_scores0: [B, P0] or None.
        junction_matching_scores1: [B, P1] or None.
    """

    matches0: Tensor
    matches1: Tensor
    matching_scores0: Tensor
    matching_scores1: Tensor
    line_matches0: Tensor
    line_matches1: Tensor
    line_matching_scores0: Tensor
    line_matching_scores1: Tensor
    log_assignment: Tensor
    line_log_assignment: Tensor
    junction_matches0: Tensor | None = None
    junction_matches1: Tensor | None = None
    junction_matching_scores0: Tensor | None = None
    junction_matching_scores1: Tensor | None = None

    def __post_init__(self) -> None:
        specs = {
            "matches0": "B P0",
            "matches1": "B P1",
            "matching_scores0": "B P0",
            "matching_scores1": "B P1",
            "line_matches0": "B L0",
            "line_matches1": "B L1",
            "line_matching_scores0": "B L0",
            "line_matching_scores1": "B L1",
            "log_assignment": "B P0+1 P1+1",
            "line_log_assignment": "B L0+1 L1+1",
        }
        if self.junction_matches0 is not None:
            specs |= {
                "junction_matches0": "B P0",
                "junction_matches1": "B P1",
                "junction_matching_scores0": "B P0",
                "junction_matching_scores1": "B P1",
            }
        _check(self, specs)

    def matched_keypoints(
        self, wireframe0: Wireframe, wireframe1: Wireframe, *, index: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the matched keypoints of one pair.

        Args:
            wireframe0: The wireframe of image 0, as given to the matcher.
            wireframe1: The wireframe of image 1.
            index: Which pair of the batch; may be left out for a batch of one.

        Returns:
            Two tensors [S, 2] px whose rows correspond.

        Raises:
            ValueError: If the batch has several pairs and ``index`` is left out.
        """
        row = self._row(index)
        return _pairs(self.matches0, wireframe0.keypoints, wireframe1.keypoints, row)

    def matched_junctions(
        self, wireframe0: Wireframe, wireframe1: Wireframe, *, index: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the matched junctions of one pair where they are reported apart.

        Arguments, result and errors are those of :meth:`matched_keypoints`; the tensors are
        empty where the network reports one list for all nodes.
        """
        row = self._row(index)
        matches = self.junction_matches0
        if matches is None:
            matches = torch.full_like(self.matches0, -1)
        return _pairs(matches, wireframe0.keypoints, wireframe1.keypoints, row)

    def matched_lines(
        self, wireframe0: Wireframe, wireframe1: Wireframe, *, index: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the matched lines of one pair, as the detector gave them.

        Arguments and errors are those of :meth:`matched_keypoints`.

        Returns:
            Two tensors [S, 2, 2] px whose rows correspond; the order of the endpoints is the
            detector's and need not correspond.
        """
        row = self._row(index)
        return _pairs(self.line_matches0, wireframe0.detected_lines, wireframe1.detected_lines, row)

    def _row(self, index: int | None) -> int:
        batch_size = self.matches0.shape[0]
        if index is None and batch_size != 1:
            raise ValueError(f"the batch has {batch_size} pairs: say which one with index=")
        return index or 0


def _pairs(matches0: Tensor, values0: Tensor, values1: Tensor, row: int) -> tuple[Tensor, Tensor]:
    partners = matches0[row].to(values0.device)
    matched = partners > -1
    return values0[row][matched], values1[row][partners[matched]]


@dataclass(frozen=True, kw_only=True)
class GroundTruth(_Value):
    """The true matches between the nodes and between the lines of two wireframes.

    Besides indices there are two labels: -1 for a feature that certainly has no partner, and
    -2 for one that is to be ignored, because its partner is not known or it is padding.

    Attributes:
        gt_matches0: [B, P0] int64, the node of image 1 that is the same as each node of image
            0, -1 or -2.
        gt_matches1: [B, P1] int64, the other way round.
        gt_line_matches0: [B, L0] int64, as ``gt_matches0`` for lines.
        gt_line_matches1: [B, L1] int64.
    """

    gt_matches0: Tensor
    gt_matches1: Tensor
    gt_line_matches0: Tensor
    gt_line_matches1: Tensor

    def __post_init__(self) -> None:
        _check(
            self,
            {
                "gt_matches0": "B P0",
                "gt_matches1": "B P1",
                "gt_line_matches0": "B L0",
                "gt_line_matches1": "B L1",
            },
        )


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A pinhole camera.

    Attributes:
        K: [3, 3] float64, the calibration matrix in px.
    """

    K: np.ndarray

    def __post_init__(self) -> None:
        _check(self, {"K": "3 3"})


@dataclass(frozen=True, kw_only=True)
class Pose:
    """A rigid motion between frames: X1 = R X0 + t.

    Attributes:
        R: [3, 3] float64, a rotation.
        t: [3] float64, the translation, of unit length where the scale is unknown.
    """

    R: np.ndarray
    t: np.ndarray

    def __post_init__(self) -> None:
        _check(self, {"R": "3 3", "t": "3"})


def pad_and_stack(tensors: Sequence[Tensor], *, fill: float = 0) -> Tensor:
    """Stack tensors that differ in their first size, filling up the shorter ones.

    Args:
        tensors: Tensors [M_i, ...] with equal further sizes.
        fill: The value of the padding.

    Returns:
        A tensor [B, max M_i, ...].
    """
    length = max(len(tensor) for tensor in tensors)
    shape = (len(tensors), length, *tensors[0].shape[1:])
    stacked = tensors[0].new_full(shape, fill)
    for row, tensor in zip(stacked, tensors, strict=True):
        row[: len(tensor)] = tensor
    return stacked
