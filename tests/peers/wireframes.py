"""Small wireframes with chosen keypoints and lines, for the tests of this folder."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from gluestick.types import Wireframe

IMAGE_SIZE = (640, 480)


def make_wireframe(
    keypoint_descriptors: Tensor,
    endpoint_descriptors: Tensor | None = None,
    *,
    seed: int = 0,
) -> Wireframe:
    """Return the wireframe of one image.

    Args:
        keypoint_descriptors: [N, D], normalised here.
        endpoint_descriptors: [L, 2, D], one pair of endpoints per line; None for no line.
        seed: Of the positions.
    """
    dim = keypoint_descriptors.shape[1]
    if endpoint_descriptors is None:
        endpoint_descriptors = torch.zeros(0, 2, dim)
    num_lines = len(endpoint_descriptors)
    nodes = torch.cat([endpoint_descriptors.reshape(-1, dim), keypoint_descriptors])
    generator = torch.Generator().manual_seed(seed)
    positions = torch.rand(len(nodes), 2, generator=generator) * torch.tensor(IMAGE_SIZE)
    line_junctions = torch.arange(2 * num_lines).view(num_lines, 2)
    lines = positions[line_junctions]
    return Wireframe(
        image_size=torch.tensor([IMAGE_SIZE]),
        keypoints=positions[None],
        keypoint_scores=torch.ones(1, len(nodes)),
        descriptors=F.normalize(nodes, dim=1)[None],
        keypoint_mask=torch.ones(1, len(nodes), dtype=torch.bool),
        num_junctions=torch.tensor([2 * num_lines]),
        lines=lines[None],
        detected_lines=lines[None],
        line_scores=torch.ones(1, num_lines),
        line_mask=torch.ones(1, num_lines, dtype=torch.bool),
        line_junctions=line_junctions[None],
        edge_index=torch.cat([line_junctions, line_junctions.flip(1)]).T,
    )


def random_wireframe(num_keypoints: int, num_lines: int, *, dim: int = 16, seed: int) -> Wireframe:
    """Return the wireframe of one image with random descriptors."""
    generator = torch.Generator().manual_seed(seed)
    return make_wireframe(
        torch.randn(num_keypoints, dim, generator=generator),
        torch.randn(num_lines, 2, dim, generator=generator),
        seed=seed,
    )
