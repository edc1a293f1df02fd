"""A network with its line head, as it is trained: what is said at each layer, and about lines."""

from dataclasses import replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.line_heads.endpoints import NodeAssignment
from gluestick.matching.line_heads.guidance import point_matches
from gluestick.matching.line_heads.same_line import (
    SameLineHead,
    ScoredPairs,
    one_to_one_assignment,
)
from gluestick.training.examples.rows import mirrored_image, thinned
from gluestick.types import Wireframe

TrainableHead = Literal["same_line", "guided"]

_POINT_LAYERS = (".self_attn.", ".cross_attn.", "input_proj.", "posenc.")


class ScoredLines(NamedTuple):
    """What a network says about a batch.

    Attributes:
        layers: What is known about the nodes at the supervised layers and at the last one.
        scored: The pairs of lines that may be parts of one line; None for another head.
        line_log_assignment: [B, L0+1, L1+1], between the lines.
    """

    layers: tuple[NodeAssignment, ...]
    scored: ScoredPairs | None
    line_log_assignment: Tensor


class ScoringNetwork(nn.Module):
    """A network and its line head, as they are trained.

    Where nothing of the points' part is trained and keypoints attend to keypoints only, gradients
    pass through the junctions alone.

    Args:
        network: The network, with gradients for the parameters that are trained.
        layers: The supervised layers, besides the last one.
    """

    def __init__(self, network: LightGlueStick, *, layers: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.network, self.layers = network, layers
        trained = [name for name, value in network.named_parameters() if value.requires_grad]
        self.frozen_keypoints = network.config.attention == "one_way" and not any(
            part in name for name in trained for part in _POINT_LAYERS
        )

    def forward(
        self,
        wireframe0: Wireframe,
        wireframe1: Wireframe,
        *,
        thinning: float = 0.0,
        in_mirror: bool = False,
    ) -> ScoredLines:
        """Match a batch.

        Args:
            wireframe0: The wireframes of the images 0.
            wireframe1: The wireframes of the images 1.
            thinning: How likely it is that only a share of a pair's point matches guides lines.
            in_mirror: Whether the head ``same_line`` sees images 1 in a mirror.
        """
        layers = self.assign(wireframe0, wireframe1)
        head, nodes = self.network.line_head, layers[-1]
        if not isinstance(head, SameLineHead):
            return ScoredLines(
                layers=layers,
                scored=None,
                line_log_assignment=head(wireframe0, wireframe1, nodes).log_assignment,
            )
        matches = point_matches(wireframe0, wireframe1, nodes.log_assignment)
        if thinning > 0:
            matches = thinned(matches, probability=thinning)
        if in_mirror:
            wireframe1, matches = mirrored_image(wireframe1, matches)
        scored = head.score_pairs(wireframe0, wireframe1, nodes.endpoint_similarity, matches)
        return ScoredLines(
            layers=layers,
            scored=scored,
            line_log_assignment=one_to_one_assignment(scored, wireframe0, wireframe1),
        )

    def assign(self, wireframe0: Wireframe, wireframe1: Wireframe) -> tuple[NodeAssignment, ...]:
        """Match the nodes."""
        return self.network.assign_at_layers(
            wireframe0,
            wireframe1,
            layers=self.layers,
            frozen_keypoints=self.frozen_keypoints,
        )


def with_line_part(
    network: LightGlueStick,
    *,
    line_layers: tuple[int, ...] | None,
    line_head: TrainableHead = "same_line",
    attention: Literal["one_way", "full"] = "one_way",
) -> LightGlueStick:
    """Return a network with more line layers and another line head, and the same node matches.

    Args:
        network: The network; it is not changed.
        line_layers: The layers that pass messages along the lines, which start as the identity
            where there was none; None for all.
        line_head: The head, which starts at random where there was another.
        attention: See :class:`gluestick.matching.lightgluestick.LightGlueStickConfig`; with
            another one node matches change.
    """
    config = replace(
        network.config, line_layers=line_layers, line_head=line_head, attention=attention
    )
    extended = LightGlueStick(config)
    keeps_head = network.config.line_head == config.line_head
    known = extended.state_dict()
    known |= {
        name: value
        for name, value in network.state_dict().items()
        if name in known and (keeps_head or not name.startswith("line_head."))
    }
    extended.load_state_dict(known)
    return extended.requires_grad_(False).eval()


@torch.no_grad()
def open_matchability(network: LightGlueStick) -> None:
    """Let endpoints start out as likely to have a match as not, where all counted as matchable."""
    for head in network.log_assignment:
        layer = head.endp_matchability
        if not layer.weight.any():  # type: ignore[union-attr,operator]
            nn.init.zeros_(layer.bias)  # type: ignore[union-attr,arg-type]
