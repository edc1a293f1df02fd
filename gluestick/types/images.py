"""The values that flow between the steps: those of images.

All are frozen, keyword-only and shape-checked once, when they are built. Coordinates are
(x, y) in pixels of the original image, and the centre of the top-left pixel is (0, 0).
Letters in shapes: B batch, N keypoints, L lines, P wireframe nodes, D descriptor size,
E edges. Batched values are padded, and a mask says which entries are real. Images may have been
seen in a view (turned, say), which ``views`` remembers; positions are in the original image.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from gluestick.checks import check_shapes
from gluestick.types.views import Scales, Views, one_scale_per_image, one_view_per_image

if TYPE_CHECKING:
    from torch_geometric.data import Batch

    from gluestick.types.graphs import WireframeGraph

DescriptorSampler = Callable[[Tensor], Tensor]
"""Describes any positions: [M, 2] px -> [M, D], rows of unit norm."""

Value = TypeVar("Value", bound="BaseValue")


class BaseValue:
    """Shared by the dataclasses below: moving to a device."""

    def to(self: Value, device: torch.device | str) -> Value:
        """Return a copy with every tensor on ``device``."""
        moved = {
            field.name: value.to(device)
            for field in fields(self)  # type: ignore[arg-type]
            if isinstance(value := getattr(self, field.name), Tensor)
        }
        return replace(self, **moved)  # type: ignore[type-var]


def check_value(value: Any, specs: dict[str, str]) -> None:
    """Check the shapes of fields, see :func:`gluestick.checks.check_shapes`."""
    check_shapes(type(value).__name__, {name: getattr(value, name) for name in specs}, specs)


@dataclass(frozen=True, kw_only=True)
class Points(BaseValue):
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
        check_value(self, {"keypoints": "N 2", "scores": "N", "descriptors": "N D"})


@dataclass(frozen=True, kw_only=True)
class Lines(BaseValue):
    """Line segments of one image.

    Attributes:
        lines: [L, 2, 2] px, the two endpoints, best first.
        scores: [L], higher is better.
    """

    lines: Tensor
    scores: Tensor

    def __post_init__(self) -> None:
        check_value(self, {"lines": "L 2 2", "scores": "L"})


@dataclass(frozen=True, kw_only=True)
class Features(BaseValue):
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
        side_colors: [B, L, 2, C] or None, what lies on both sides of the lines; see
            :func:`gluestick.features.lines.side_colors.side_colors`.
        views: For each image the view in which keypoints were detected, None, and the same if
            left out, for images as they are.
        scales: For each image the size in which features were found over that of the image; 1
            if left out. Lengths that mean pixels of what detectors see are divided by it.
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
    side_colors: Tensor | None = None
    views: Views = ()
    scales: Scales = ()

    def __post_init__(self) -> None:
        check_value(
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
        batch_size = len(self.image_size)
        object.__setattr__(self, "views", one_view_per_image(self.views, batch_size))
        object.__setattr__(self, "scales", one_scale_per_image(self.scales, batch_size))


@dataclass(frozen=True, kw_only=True)
class Wireframe(BaseValue):
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
        side_colors: [B, L, 2, C] or None, what lies on both sides of the detected lines; see
            :func:`gluestick.features.lines.side_colors.side_colors`.
        views: For each image the view in which it was extracted, None, and the same if left out,
            for images as they are. Networks are to see the positions there; see
            :func:`gluestick.viewpoint.wireframe_view.wireframe_in_view`.
        scales: For each image the size in which features were found over that of the image; 1
            if left out.
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
    side_colors: Tensor | None = None
    views: Views = ()
    scales: Scales = ()

    def __post_init__(self) -> None:
        check_value(
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
        object.__setattr__(self, "views", one_view_per_image(self.views, self.batch_size))
        object.__setattr__(self, "scales", one_scale_per_image(self.scales, self.batch_size))

    @property
    def batch_size(self) -> int:
        """The number of images."""
        return self.keypoints.shape[0]

    @property
    def junction_mask(self) -> Tensor:
        """[B, P] bool, True where a node is a junction."""
        index = torch.arange(self.keypoints.shape[1], device=self.keypoints.device)
        return index[None] < self.num_junctions[:, None]

    def graph(self, index: int | None = None) -> "WireframeGraph":
        """Return the graph of one image as torch-geometric's ``Data``.

        Args:
            index: Which image of the batch; may be left out for a batch of one.

        Returns:
            The graph, without padding and with its own node numbers; see
            :class:`~gluestick.types.graphs.WireframeGraph`.

        Raises:
            ValueError: If the batch has several images and ``index`` is left out, or if it has
                no such image.
        """
        from gluestick.types.graphs import wireframe_graph

        if index is None and self.batch_size != 1:
            raise ValueError(f"the batch has {self.batch_size} images: say which one with index=")
        return wireframe_graph(self, index or 0)

    def graphs(self) -> "Batch":
        """Return the graphs of all images as torch-geometric's ``Batch``.

        ``graphs().to_data_list()`` gives back what :meth:`graph` gives for each image.
        """
        from torch_geometric.data import Batch

        return Batch.from_data_list([self.graph(index) for index in range(self.batch_size)])


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
        check_value(self, {"R": "3 3", "t": "3"})


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
