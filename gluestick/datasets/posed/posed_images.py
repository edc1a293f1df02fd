"""Two posed images with depth, as they are trained on."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class PosedImages:
    """Two posed images with depth, each of any size.

    Attributes:
        image0: [3, H0, W0] in [0, 1].
        image1: [3, H1, W1].
        depth0: [H0, W0], the z coordinate at the pixel centres in the unit of ``t_0to1``; 0
            where it is unknown.
        depth1: [H1, W1].
        K0: [3, 3] px.
        K1: [3, 3] px.
        R_0to1: [3, 3], X1 = R X0 + t.
        t_0to1: [3].
    """

    image0: Tensor
    image1: Tensor
    depth0: Tensor
    depth1: Tensor
    K0: Tensor
    K1: Tensor
    R_0to1: Tensor
    t_0to1: Tensor
