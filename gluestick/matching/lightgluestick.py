"""LightGlueStick: LightGlue's layers with messages along the lines (arXiv 2510.16438)."""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any, cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from gluestick.matching.assignment import (
    MatchAssignment,
    MutualMatches,
    mutual_matches,
    to_matches,
    with_junctions_apart,
)
from gluestick.matching.early_exit import (
    TokenConfidence,
    confidence_threshold,
    deciding_slots,
    keypoints_to_keep,
    like_last_layer,
    pairs_to_stop,
    restore_order,
    share_found,
)
from gluestick.matching.frozen_keypoints import layer_with_frozen_keypoints
from gluestick.matching.inputs import check_pair, normalize_keypoints
from gluestick.matching.layer_outputs import LayerOutput
from gluestick.matching.layers.encoders import RotaryEncoding
from gluestick.matching.layers.transformer_layer import TransformerLayer
from gluestick.matching.lightgluestick_config import LightGlueStickConfig
from gluestick.matching.line_heads.endpoints import LineAssignment, NodeAssignment
from gluestick.matching.line_heads.registry import LINE_HEADS
from gluestick.matching.slots import assign_slots, compare_descriptors, of_nodes
from gluestick.matching.tokens import Tokens, tokenize
from gluestick.types import Matches, Wireframe

POSITION_SCALE = 0.5


class LightGlueStick(nn.Module):
    """Matches keypoints, junctions and lines of two wireframes.

    Its parameters have the names and shapes of the published checkpoints of LightGlueStick
    and, apart from the line layers and heads, LightGlue.

    Args:
        config: Sizes and options.
    """

    def __init__(self, config: LightGlueStickConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or LightGlueStickConfig()
        dim, num_layers = config.descriptor_dim, config.num_layers
        with_lines = range(num_layers) if config.line_layers is None else config.line_layers
        self.input_proj = (
            nn.Linear(config.input_dim, dim) if config.input_dim != dim else nn.Identity()
        )
        self.posenc = RotaryEncoding(dim // config.num_heads)
        self.transformers = nn.ModuleList(
            TransformerLayer(
                dim,
                config.num_heads,
                one_way=config.attention == "one_way",
                with_lines=layer in with_lines,
            )
            for layer in range(num_layers)
        )
        self.log_assignment = nn.ModuleList(MatchAssignment(dim) for _ in range(num_layers))
        self.token_confidence = nn.ModuleList(TokenConfidence(dim) for _ in range(num_layers - 1))
        self.line_head = LINE_HEADS[config.line_head]()
        self._compiled_core: Callable[[Tokens, Tokens], NodeAssignment] | None = None

    def forward(self, wireframe0: Wireframe, wireframe1: Wireframe) -> Matches:
        """Match two batches of wireframes, pair by pair.

        Args:
            wireframe0: The wireframes of the images 0.
            wireframe1: The wireframes of the images 1, as many.

        Returns:
            The matches; with ``attention="one_way"`` those of junctions are reported apart,
            and a keypoint and a junction have -inf in ``log_assignment``.

        Raises:
            ValueError: If the batches or descriptors do not fit, or are not finite.
        """
        nodes = self.assign_nodes(wireframe0, wireframe1)
        mutual = mutual_matches(nodes.log_assignment, threshold=0.0)
        lines = self.line_head(wireframe0, wireframe1, nodes, mutual)
        return self._matches(wireframe0, wireframe1, nodes.log_assignment, lines, mutual)

    def assign_nodes(self, wireframe0: Wireframe, wireframe1: Wireframe) -> NodeAssignment:
        """Match the nodes only, which is all that line heads know of the network.

        Arguments and errors are those of :meth:`forward`.
        """
        tokens0, tokens1 = self._tokenize(wireframe0, wireframe1)
        shape = wireframe0.keypoints.shape[1], wireframe1.keypoints.shape[1]
        nodes = self._run_layers(tokens0, tokens1, shape)
        return self._with_left_out(nodes, wireframe0, wireframe1)

    def core(self, tokens0: Tokens, tokens1: Tokens) -> NodeAssignment:
        """Run all layers, without early exit and pruning, and match the slots of the tokens.

        It maps tensors to tensors: the host reads none of them, so it can be compiled whole.

        Args:
            tokens0: The tokens of the images 0.
            tokens1: The tokens of the images 1.

        Returns:
            What is known about the slots, in place of the nodes.
        """
        for transformer in self.transformers:
            tokens0, tokens1 = transformer(tokens0, tokens1)
        return assign_slots(self._head(-1), tokens0, tokens1, one_way=self._one_way)

    def compile(self, **options: Any) -> None:
        """Compile :meth:`core`, which is used where early exit and pruning are off.

        Sizes stay dynamic, so that one compiled graph serves all numbers of nodes.

        Args:
            **options: Further options of ``torch.compile``.
        """
        settings = {"fullgraph": True, "dynamic": True, **options}
        self._compiled_core = torch.compile(self.core, **settings)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out compiled code, which copies and pickles cannot hold."""
        return {**super().__getstate__(), "_compiled_core": None}

    def assign_at_layers(
        self,
        wireframe0: Wireframe,
        wireframe1: Wireframe,
        *,
        layers: Collection[int],
        frozen_keypoints: bool = False,
    ) -> tuple[NodeAssignment, ...]:
        """Match the nodes with the heads of several layers, and of the last one in the end.

        Early exit and pruning are off. Further arguments and errors are those of :meth:`forward`.

        Args:
            wireframe0: The wireframes of the images 0.
            wireframe1: The wireframes of the images 1.
            layers: The layers, besides the last one.
            frozen_keypoints: Whether gradients reach junctions only, for ``attention="one_way"``.

        Returns:
            What is known about the nodes, in the order of the layers.
        """
        tokens0, tokens1 = self._tokenize(wireframe0, wireframe1)
        shape = wireframe0.keypoints.shape[1], wireframe1.keypoints.shape[1]
        outputs = []
        for layer, transformer in enumerate(self.transformers):
            if frozen_keypoints:
                tokens0, tokens1 = layer_with_frozen_keypoints(
                    cast(TransformerLayer, transformer), tokens0, tokens1
                )
            else:
                tokens0, tokens1 = transformer(tokens0, tokens1)
            if layer in layers or layer == len(self.transformers) - 1:
                nodes = self._assign(layer, tokens0, tokens1, shape)
                outputs.append(self._with_left_out(nodes, wireframe0, wireframe1))
        return tuple(outputs)

    def forward_all(
        self, wireframe0: Wireframe, wireframe1: Wireframe, *, line_head: nn.Module | None = None
    ) -> tuple[Matches, tuple[LayerOutput, ...]]:
        """Match with all layers, and return what training supervises at each.

        Early exit and pruning are off. Further arguments and errors are those of :meth:`forward`.

        Args:
            wireframe0: The wireframes of the images 0.
            wireframe1: The wireframes of the images 1.
            line_head: What matches lines after each layer; None for the network's own.

        Returns:
            The matches, and the outputs of all layers.
        """
        tokens0, tokens1 = self._tokenize(wireframe0, wireframe1)
        shape = wireframe0.keypoints.shape[1], wireframe1.keypoints.shape[1]
        match_lines = self.line_head if line_head is None else line_head
        outputs = []
        for layer, transformer in enumerate(self.transformers):
            tokens0, tokens1 = transformer(tokens0, tokens1)
            nodes = self._assign(layer, tokens0, tokens1, shape)
            nodes = self._with_left_out(nodes, wireframe0, wireframe1)
            lines = match_lines(wireframe0, wireframe1, nodes)
            outputs.append(
                LayerOutput(
                    layer=layer,
                    log_assignment=nodes.log_assignment,
                    line_log_assignment=lines.log_assignment,
                    confidence_logits0=self._confidence_logits(layer, tokens0, shape[0]),
                    confidence_logits1=self._confidence_logits(layer, tokens1, shape[1]),
                )
            )
        matches = self._matches(wireframe0, wireframe1, nodes.log_assignment, lines)
        return matches, tuple(outputs)

    def _tokenize(self, wireframe0: Wireframe, wireframe1: Wireframe) -> tuple[Tokens, Tokens]:
        all_counts = check_pair(wireframe0, wireframe1, descriptor_dim=self.config.input_dim)
        dtype = next(self.transformers.parameters()).dtype
        tokens0, tokens1 = (
            tokenize(
                wireframe,
                self.input_proj(wireframe.descriptors.to(dtype)),
                self.posenc(
                    normalize_keypoints(
                        wireframe.keypoints, wireframe.image_size, scale=POSITION_SCALE
                    )
                ),
                counts=counts,
                with_junctions=not self.config.leaves_junctions_out,
            )
            for wireframe, counts in zip((wireframe0, wireframe1), all_counts, strict=True)
        )
        return tokens0, tokens1

    def _run_layers(
        self, tokens0: Tokens, tokens1: Tokens, shape: tuple[int, int]
    ) -> NodeAssignment:
        """Run as many layers as each pair needs and match the nodes with the last one's heads."""
        depth_confidence = self.config.depth_confidence
        if not self.config.adapts:
            core = self._compiled_core or self.core
            return of_nodes(core(tokens0, tokens1), tokens0, tokens1, shape)
        pairs = torch.arange(len(tokens0.x), device=tokens0.x.device)
        num_deciding = self._deciding(tokens0).sum(1) + self._deciding(tokens1).sum(1)
        finished: list[tuple[Tensor, NodeAssignment]] = []
        for layer, transformer in enumerate(self.transformers[:-1]):
            tokens0, tokens1 = transformer(tokens0, tokens1)
            if depth_confidence > 0:
                unsure = (self._unsure(layer, tokens0), self._unsure(layer, tokens1))
                stop = pairs_to_stop(*unsure, num_deciding, depth_confidence=depth_confidence)
                if stop.any():
                    stopped = tokens0.take_pairs(stop), tokens1.take_pairs(stop)
                    nodes, enough = self._assign_early(layer, *stopped, shape)
                    stop[stop.clone()] = enough
                if stop.any():
                    finished.append((pairs[stop], NodeAssignment(*(x[enough] for x in nodes))))
                    pairs, num_deciding = pairs[~stop], num_deciding[~stop]
                    tokens0, tokens1 = tokens0.take_pairs(~stop), tokens1.take_pairs(~stop)
                if len(pairs) == 0:
                    break
            if self.config.width_confidence > 0:
                tokens0, tokens1 = self._prune(layer, tokens0), self._prune(layer, tokens1)
        else:
            tokens0, tokens1 = self.transformers[-1](tokens0, tokens1)
            last = len(self.transformers) - 1
            finished.append((pairs, self._assign(last, tokens0, tokens1, shape)))
        return finished[0][1] if len(finished) == 1 else NodeAssignment(*restore_order(finished))

    @property
    def _one_way(self) -> bool:
        return self.config.attention == "one_way"

    def _with_left_out(
        self, nodes: NodeAssignment, wireframe0: Wireframe, wireframe1: Wireframe
    ) -> NodeAssignment:
        """Compare the junctions that were left out of the network."""
        if not self.config.leaves_junctions_out:
            return nodes
        scale, shift = self.config.descriptor_similarity
        return compare_descriptors(nodes, wireframe0, wireframe1, scale=scale, shift=shift)

    def _head(self, layer: int) -> MatchAssignment:
        return cast(MatchAssignment, self.log_assignment[layer])

    def _deciding(self, tokens: Tokens) -> Tensor:
        """Return the real entries among the slots that decide on early exit."""
        return tokens.real[:, deciding_slots(tokens, one_way=self._one_way)]

    def _unsure(self, layer: int, tokens: Tokens) -> Tensor:
        """Return which deciding nodes are not confident yet."""
        slots = deciding_slots(tokens, one_way=self._one_way)
        confidence = self.token_confidence[layer](tokens.x[:, slots]).sigmoid()
        threshold = confidence_threshold(layer, self.config.num_layers)
        return (confidence < threshold) & tokens.real[:, slots]

    def _assign_early(
        self, layer: int, tokens0: Tokens, tokens1: Tokens, shape: tuple[int, int]
    ) -> tuple[NodeAssignment, Tensor]:
        """Match the nodes at an inner layer, and say which pairs [B] found enough."""
        slots = assign_slots(self._head(layer), tokens0, tokens1, one_way=self._one_way)
        nodes = like_last_layer(of_nodes(slots, tokens0, tokens1, shape), layer, self.config)
        if self.config.depth_min_found <= 0:
            return nodes, tokens0.real.new_ones(len(tokens0.real))
        rows, columns = (
            deciding_slots(tokens, one_way=self._one_way) for tokens in (tokens0, tokens1)
        )
        found = share_found(
            slots.log_assignment[:, rows, columns], threshold=self.config.filter_threshold
        )
        return nodes, found >= self.config.depth_min_found

    def _prune(self, layer: int, tokens: Tokens) -> Tokens:
        """Drop the keypoints that are unmatchable."""
        confidence = None
        if self.config.depth_confidence > 0:
            confidence = self.token_confidence[layer](tokens.x).sigmoid()
        keep = keypoints_to_keep(
            self._head(layer).node_matchability(tokens.x).sigmoid(),
            confidence,
            width_confidence=self.config.width_confidence,
            threshold=confidence_threshold(layer, self.config.num_layers),
        )
        return tokens.keep_keypoints(keep)

    def _assign(
        self, layer: int, tokens0: Tokens, tokens1: Tokens, shape: tuple[int, int]
    ) -> NodeAssignment:
        """Match the nodes with the heads of one layer."""
        slots = assign_slots(self._head(layer), tokens0, tokens1, one_way=self._one_way)
        return of_nodes(slots, tokens0, tokens1, shape)

    def _confidence_logits(self, layer: int, tokens: Tokens, num_nodes: int) -> Tensor | None:
        """Return the confidence of all nodes [B, P], None at the last layer."""
        if layer == len(self.token_confidence):
            return None
        logits = F.pad(self.token_confidence[layer](tokens.x), (0, 2))
        return logits.gather(1, tokens.slot_of_node(num_nodes)[:, :-1])

    def _matches(
        self,
        wireframe0: Wireframe,
        wireframe1: Wireframe,
        log_assignment: Tensor,
        lines: LineAssignment,
        mutual: MutualMatches | None = None,
    ) -> Matches:
        config = self.config
        matches = replace(
            to_matches(
                log_assignment,
                lines.log_assignment,
                threshold=config.filter_threshold,
                line_threshold=config.line_filter_threshold,
                nodes=mutual,
            ),
            line_pair_indices=lines.pair_indices,
            line_pair_probabilities=lines.pair_probabilities,
            line_pair_overlaps=lines.pair_overlaps,
        )
        if config.attention == "full":
            return matches
        return with_junctions_apart(matches, wireframe0.junction_mask, wireframe1.junction_mask)
