"""What training supervises on the way through a network."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class LayerOutput:
    """What both networks tell after a layer that is supervised; the last one always is.

    Attributes:
        layer: Which layer, counted from 0.
        log_assignment: [B, P0+1, P1+1], between the nodes; None where only lines are matched,
            as after the inner layers of GlueStick.
        line_log_assignment: [B, L0+1, L1+1], between the lines.
        confidence_logits0: [B, P0], of the match of a node being final; None at the last layer
            and in GlueStick.
        confidence_logits1: [B, P1].
    """

    layer: int
    log_assignment: Tensor | None
    line_log_assignment: Tensor
    confidence_logits0: Tensor | None = None
    confidence_logits1: Tensor | None = None
