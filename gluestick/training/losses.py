"""The weights of the parts of a loss."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """See :func:`gluestick.supervision.losses.same_line.same_line_loss`.

    Attributes:
        overlap_weight: The weight of how much same lines share.
        partner_weight: The weight of which of them is the best partner.
    """

    overlap_weight: float = 0.5
    partner_weight: float = 0.3

    def __post_init__(self) -> None:
        if min(self.overlap_weight, self.partner_weight) < 0:
            raise ValueError(
                "the weights of a loss need to be at least 0, found "
                f"{self.overlap_weight} and {self.partner_weight}"
            )
