"""Sizes and options of LightGlueStick."""

from dataclasses import dataclass, replace
from typing import Literal

from gluestick.matching.line_heads.registry import LINE_HEADS, LineHeadName


@dataclass(frozen=True, kw_only=True)
class LightGlueStickConfig:
    """Sizes and options of LightGlueStick.

    Attributes:
        input_dim: The size of the descriptors: 128 for ALIKED, 256 for SuperPoint.
        descriptor_dim: The number of channels inside, a multiple of ``2 * num_heads``.
        num_layers: The number of layers.
        num_heads: Attention heads.
        attention: ``one_way``: keypoints attend to keypoints only, junctions to both, and
            keypoints and junctions are matched apart, so lines change nothing for the
            keypoints. ``full``: as published, all nodes attend to and match all nodes.
        junctions: ``attend``: junctions are nodes of the network. ``left_out``: they are not,
            which takes less time; endpoints are compared by the descriptors that were sampled
            there. Networks with full attention or line layers need them and keep them.
        line_layers: The layers that pass messages along the lines; None for all.
        line_head: How lines are matched: ``endpoints`` compares their endpoints, ``guided`` also
            looks at the matched points around them, ``same_line`` judges each pair by itself.
        depth_confidence: A pair stops once a larger share of its nodes is confident; -1 runs
            all layers.
        depth_min_found: A pair stops only if its matches account for this share of those to be
            expected; see :func:`gluestick.matching.early_exit.share_found`.
        width_confidence: A keypoint that is unmatchable with this confidence is dropped; -1
            keeps all.
        similarity_scales: For each layer but the last by what the similarities of endpoints are
            multiplied where a pair stops there, so that they are like those of the last layer,
            on which line heads are trained; None for 1.
        similarity_shifts: What is added to them then; None for 0.
        descriptor_similarity: By what products of descriptors are multiplied, and what is added
            then, so that they are like similarities at the last layer, where junctions are left
            out.
        filter_threshold: The probability that a match of nodes must exceed.
        line_filter_threshold: The probability that a match of lines must exceed.
    """

    input_dim: int = 256
    descriptor_dim: int = 256
    num_layers: int = 9
    num_heads: int = 4
    attention: Literal["one_way", "full"] = "one_way"
    junctions: Literal["attend", "left_out"] = "attend"
    line_layers: tuple[int, ...] | None = None
    line_head: LineHeadName = "endpoints"
    depth_confidence: float = -1
    depth_min_found: float = 0
    width_confidence: float = -1
    similarity_scales: tuple[float, ...] | None = None
    similarity_shifts: tuple[float, ...] | None = None
    descriptor_similarity: tuple[float, float] = (25.4, 24.1)
    filter_threshold: float = 0.1
    line_filter_threshold: float = 0.1

    def __post_init__(self) -> None:
        if self.descriptor_dim % (2 * self.num_heads):
            raise ValueError(
                f"descriptor_dim must be a multiple of 2 * num_heads, found "
                f"{self.descriptor_dim} and num_heads={self.num_heads}"
            )
        choices = {
            "attention": ("one_way", "full"),
            "junctions": ("attend", "left_out"),
            "line_head": (*LINE_HEADS,),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, found {getattr(self, name)!r}")
        for name in ("similarity_scales", "similarity_shifts"):
            values = getattr(self, name)
            if values is not None and len(values) != self.num_layers - 1:
                raise ValueError(
                    f"{name} needs a number for each of {self.num_layers - 1} layers, found "
                    f"{len(values)}"
                )
        if any(not 0 <= layer < self.num_layers for layer in self.line_layers or ()):
            raise ValueError(
                f"line_layers needs layers from 0 to {self.num_layers - 1}, found "
                f"{self.line_layers}"
            )

    @property
    def with_all_layers(self) -> "LightGlueStickConfig":
        """The same without early exit and pruning."""
        return replace(self, depth_confidence=-1, width_confidence=-1)

    @property
    def uncalibrated(self) -> "LightGlueStickConfig":
        """The same for a network that was changed: what was measured of it holds no more."""
        return replace(self.with_all_layers, similarity_scales=None, similarity_shifts=None)

    @property
    def stops_uncalibrated(self) -> bool:
        """Whether pairs may stop where line heads get other similarities than they know."""
        scaled = self.similarity_scales is not None or self.line_head == "endpoints"
        return self.depth_confidence > 0 and not scaled

    @property
    def adapts(self) -> bool:
        """Whether pairs may stop early, or keypoints be dropped."""
        return self.depth_confidence > 0 or self.width_confidence > 0

    @property
    def leaves_junctions_out(self) -> bool:
        """Whether junctions are left out of the network, since that is wanted and possible."""
        return (
            self.junctions == "left_out" and self.attention == "one_way" and self.line_layers == ()
        )
