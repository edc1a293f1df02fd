import pytest
import torch
from torch import Tensor

from gluestick.supervision.reprojection import DepthPair

SIZE = torch.tensor([[160, 120]])
DISPARITY = 15.0


@pytest.fixture
def image_size() -> Tensor:
    """(width, height) of one image, [1, 2]."""
    return SIZE


@pytest.fixture
def wall_pair() -> DepthPair:
    """A wall straight ahead: what is at x in image 0 is at x - 15 px in image 1."""
    K = torch.tensor([[[150.0, 0.0, 79.5], [0.0, 150.0, 59.5], [0.0, 0.0, 1.0]]])
    return DepthPair(
        depth0=torch.full((1, 120, 160), 4.0),
        depth1=torch.full((1, 120, 160), 4.0),
        image_size0=SIZE,
        image_size1=SIZE,
        K0=K,
        K1=K,
        R_0to1=torch.eye(3)[None],
        t_0to1=torch.tensor([[-DISPARITY * 4 / 150, 0.0, 0.0]]),
    )
