"""GlueStick: points and lines matched by a graph network (arXiv 2304.02008)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from gluestick.matching.assignment import log_double_softmax, to_matches
from gluestick.matching.inputs import NodeCounts, check_pair, normalize_keypoints
from gluestick.matching.layer_outputs import LayerOutput
from gluestick.matching.layers.attention import AttentionalPropagation
from gluestick.matching.layers.encoders import EndpointEncoder, KeypointEncoder, Pointwise
from gluestick.matching.line_heads.endpoints import endpoint_line_scores
from gluestick.precision import AtLeastSingle, at_least_single, without_autocast
from gluestick.types import Matches, Wireframe

POSITION_SCALE = 0.7


@dataclass(frozen=True, kw_only=True)
class GlueStickConfig:
    """Sizes and options of GlueStick; the defaults are the published model's.

    Attributes:
        input_dim: The size of the descriptors.
        descriptor_dim: The number of channels inside, a multiple of ``num_heads``.
        bottleneck_dim: Squeezes the descriptors through fewer channels first; None does not.
        keypoint_encoder: The hidden sizes of the keypoint and endpoint encoders.
        num_layers: How often self attention, line messages and cross attention follow.
        num_heads: Attention heads.
        num_line_iterations: How often the line messages are passed in each layer.
        line_attention: Whether a junction weights the messages of its lines.
        inter_supervision: The layers after which lines are matched too, for training.
        filter_threshold: The probability that a match of nodes must exceed.
        line_filter_threshold: The probability that a match of lines must exceed.
    """

    input_dim: int = 256
    descriptor_dim: int = 256
    bottleneck_dim: int | None = None
    keypoint_encoder: tuple[int, ...] = (32, 64, 128, 256)
    num_layers: int = 9
    num_heads: int = 4
    num_line_iterations: int = 1
    line_attention: bool = False
    inter_supervision: tuple[int, ...] = ()
    filter_threshold: float = 0.2
    line_filter_threshold: float = 0.2

    def __post_init__(self) -> None:
        if self.descriptor_dim % self.num_heads:
            raise ValueError(
                f"descriptor_dim must be a multiple of num_heads, found {self.descriptor_dim} "
                f"and {self.num_heads}"
            )
        if any(not 0 <= layer < self.num_layers for layer in self.inter_supervision):
            raise ValueError(
                f"inter_supervision needs layers from 0 to {self.num_layers - 1}, found "
                f"{tuple(self.inter_supervision)}"
            )


@dataclass(frozen=True, kw_only=True)
class _Nodes:
    """What stays the same from layer to layer for the images on one side."""

    mask: Tensor | None
    endpoint_encoding: Tensor
    line_junctions: Tensor
    line_mask: Tensor


class _AttentionLayer(nn.Module):
    """Self or cross attention of both images, from the same old values."""

    def __init__(self, config: GlueStickConfig, *, cross: bool) -> None:
        super().__init__()
        self.cross = cross
        self.update = AttentionalPropagation(config.descriptor_dim, config.num_heads)

    def forward(
        self, x0: Tensor, x1: Tensor, mask0: Tensor | None, mask1: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        source0, source1 = (x1, x0) if self.cross else (x0, x1)
        source_mask0, source_mask1 = (mask1, mask0) if self.cross else (mask0, mask1)
        update0 = self.update(x0, source0, mask0, source_mask0)
        update1 = self.update(x1, source1, mask1, source_mask1)
        return x0 + update0, x1 + update1


class _GraphNetwork(nn.Module):
    """Self attention, line messages and cross attention in turn."""

    def __init__(self, config: GlueStickConfig) -> None:
        # Here, because importing it brings torch-geometric.
        from gluestick.matching.layers.line_message import LineMessagePassing

        super().__init__()
        self.num_line_iterations = config.num_line_iterations
        self.layers = nn.ModuleList(
            _AttentionLayer(config, cross=cross)
            for _ in range(config.num_layers)
            for cross in (False, True)
        )
        self.line_layers = nn.ModuleList(
            LineMessagePassing(config.descriptor_dim, line_attention=config.line_attention)
            for _ in range(config.num_layers)
        )

    def forward(
        self, x0: Tensor, x1: Tensor, nodes0: _Nodes, nodes1: _Nodes
    ) -> list[tuple[Tensor, Tensor]]:
        """Return the nodes of both images [B, P, C] after each layer."""
        after_layer = []
        for index, line_layer in enumerate(self.line_layers):
            x0, x1 = self.layers[2 * index](x0, x1, nodes0.mask, nodes1.mask)
            for _ in range(self.num_line_iterations):
                x0 = _pass_messages(line_layer, x0, nodes0)
                x1 = _pass_messages(line_layer, x1, nodes1)
            x0, x1 = self.layers[2 * index + 1](x0, x1, nodes0.mask, nodes1.mask)
            after_layer.append((x0, x1))
        return after_layer


def _pass_messages(line_layer: nn.Module, x: Tensor, nodes: _Nodes) -> Tensor:
    return line_layer(x, nodes.endpoint_encoding, nodes.line_junctions, nodes.line_mask)


class GlueStick(nn.Module):
    """Matches all nodes of two wireframes in one list, and their lines.

    Its parameters have the names and shapes of the published checkpoint. As published, the
    line messages are passed only where both images of a pair have lines.

    Args:
        config: Sizes and options.
    """

    def __init__(self, config: GlueStickConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or GlueStickConfig()
        dim = config.descriptor_dim
        if config.bottleneck_dim is not None:
            self.bottleneck_down = _zero_bias(Pointwise(config.input_dim, config.bottleneck_dim))
            self.bottleneck_up = _zero_bias(Pointwise(config.bottleneck_dim, config.input_dim))
        if config.input_dim != dim:
            self.input_proj = _zero_bias(Pointwise(config.input_dim, dim))
        self.kenc = KeypointEncoder(dim, config.keypoint_encoder)
        self.lenc = EndpointEncoder(dim, config.keypoint_encoder)
        self.gnn = _GraphNetwork(config)
        self.final_proj = _Projection(dim)
        self.final_line_proj = _Projection(dim)
        if config.inter_supervision:
            self.inter_line_proj = nn.ModuleList(_Projection(dim) for _ in config.inter_supervision)
        self.bin_score = nn.Parameter(torch.tensor(1.0))
        self.line_bin_score = nn.Parameter(torch.tensor(1.0))

    def forward(self, wireframe0: Wireframe, wireframe1: Wireframe) -> Matches:
        """Match two batches of wireframes, pair by pair.

        Args:
            wireframe0: The wireframes of the images 0.
            wireframe1: The wireframes of the images 1, as many.

        Returns:
            The matches; ``matches0`` and ``matches1`` hold keypoints and junctions alike.

        Raises:
            ValueError: If the batches or descriptors do not fit, or are not finite.
        """
        return self.forward_all(wireframe0, wireframe1)[0]

    def forward_all(
        self, wireframe0: Wireframe, wireframe1: Wireframe
    ) -> tuple[Matches, tuple[LayerOutput, ...]]:
        """Match, and also return what training supervises on the way.

        Arguments and errors are those of :meth:`forward`.

        Returns:
            The matches, and the outputs of the layers in ``inter_supervision``, between lines
            only, and of the last one.
        """
        config = self.config
        counts0, counts1 = check_pair(wireframe0, wireframe1, descriptor_dim=config.input_dim)
        both_have_lines = wireframe0.line_mask.any(1) & wireframe1.line_mask.any(1)
        nodes0 = self._prepare(wireframe0, both_have_lines, counts0)
        nodes1 = self._prepare(wireframe1, both_have_lines, counts1)
        after_layer = self.gnn(
            self._encode(wireframe0, nodes0), self._encode(wireframe1, nodes1), nodes0, nodes1
        )
        x0, x1 = after_layer[-1]
        log_assignment = log_double_softmax(
            self._similarity(self.final_proj, x0, x1), self.bin_score, nodes0.mask, nodes1.mask
        )

        def match_lines(projection: nn.Module, x0: Tensor, x1: Tensor) -> Tensor:
            junctions0 = x0[:, : max(counts0.junctions)]
            junctions1 = x1[:, : max(counts1.junctions)]
            return self._match_lines(projection, junctions0, junctions1, wireframe0, wireframe1)

        line_log_assignment = match_lines(self.final_line_proj, x0, x1)
        outputs = [
            LayerOutput(
                layer=layer,
                log_assignment=None,
                line_log_assignment=match_lines(self.inter_line_proj[index], *after_layer[layer]),
            )
            for index, layer in enumerate(config.inter_supervision)
        ]
        last = LayerOutput(
            layer=config.num_layers - 1,
            log_assignment=log_assignment,
            line_log_assignment=line_log_assignment,
        )
        matches = to_matches(
            log_assignment,
            line_log_assignment,
            threshold=config.filter_threshold,
            line_threshold=config.line_filter_threshold,
        )
        return matches, (*outputs, last)

    def _prepare(self, wireframe: Wireframe, both_have_lines: Tensor, counts: NodeCounts) -> _Nodes:
        mask = wireframe.keypoint_mask
        padded = any(sum(nodes) < mask.shape[1] for nodes in zip(*counts, strict=True))
        lines = normalize_keypoints(wireframe.lines, wireframe.image_size, scale=POSITION_SCALE)
        encoding = self.lenc(lines, wireframe.line_scores, wireframe.line_mask)
        return _Nodes(
            mask=mask if padded else None,
            endpoint_encoding=encoding.to(self._dtype),
            line_junctions=wireframe.line_junctions,
            line_mask=wireframe.line_mask & both_have_lines[:, None],
        )

    def _encode(self, wireframe: Wireframe, nodes: _Nodes) -> Tensor:
        """Return the nodes [B, P, C] that enter the graph network."""
        x = wireframe.descriptors.to(self._dtype)
        if self.config.bottleneck_dim is not None:
            x = F.normalize(self.bottleneck_up(self.bottleneck_down(x)), dim=-1)
        if self.config.input_dim != self.config.descriptor_dim:
            x = self.input_proj(x)
        keypoints = normalize_keypoints(
            wireframe.keypoints, wireframe.image_size, scale=POSITION_SCALE
        )
        encoding = self.kenc(keypoints, wireframe.keypoint_scores, nodes.mask)
        return x + encoding.to(x.dtype)

    @property
    def _dtype(self) -> torch.dtype:
        """The type in which nodes are processed."""
        return next(self.gnn.parameters()).dtype

    def _similarity(self, projection: nn.Module, x0: Tensor, x1: Tensor) -> Tensor:
        scale = self.config.descriptor_dim**0.5
        x0, x1 = at_least_single(x0), at_least_single(x1)
        with without_autocast(x0.device):
            return projection(x0) @ projection(x1).mT / scale

    def _match_lines(
        self,
        projection: nn.Module,
        x0: Tensor,
        x1: Tensor,
        wireframe0: Wireframe,
        wireframe1: Wireframe,
    ) -> Tensor:
        """Compare the junctions [B, J, C], and return the assignment [B, L0+1, L1+1] of lines."""
        scores = endpoint_line_scores(
            self._similarity(projection, x0, x1),
            wireframe0.line_junctions,
            wireframe1.line_junctions,
        )
        return log_double_softmax(
            scores, self.line_bin_score, wireframe0.line_mask, wireframe1.line_mask
        )


def _zero_bias(layer: Pointwise) -> Pointwise:
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


class _Projection(AtLeastSingle, Pointwise):
    """Projects nodes before they are compared, in single precision."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim, dim)
        _zero_bias(self)
        nn.init.orthogonal_(self.weight)
