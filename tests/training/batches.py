"""Small batches with known truth for the tests of this folder."""

import torch
from matching.wireframes import matching_pair, with_colors
from torch import Tensor

from gluestick.supervision.reprojection import Reprojection
from gluestick.supervision.same_lines import SameLines, best_partners
from gluestick.training.examples.batches import Batch
from gluestick.training.examples.truth import node_truth


def make_batch(
    num_keypoints: int = 60, num_junctions: int = 24, num_lines: int = 12, *, seed: int = 0
) -> Batch:
    """Return two images of a plane, one 0.98 times as large and 3 px off the other."""
    wireframe0, wireframe1 = matching_pair(num_keypoints, num_junctions, num_lines, seed=seed)
    wireframe0, wireframe1 = with_colors(wireframe0, seed=1), with_colors(wireframe1, seed=2)
    apart = 0.98 * wireframe0.lines[0][:, None] + 3 - wireframe1.lines[0][None]
    same = (apart.abs().sum((2, 3)) < 1e-2)[None]
    lines = SameLines(same, same.float(), torch.ones_like(same))
    carried = (
        _visible(0.98 * wireframe0.keypoints + 3),
        _visible((wireframe1.keypoints - 3) / 0.98),
    )
    return Batch(
        wireframe0=wireframe0,
        wireframe1=wireframe1,
        lines=lines,
        partners=best_partners(lines),
        nodes=node_truth((wireframe0, wireframe1), carried, apart=True),
    )


def _visible(positions: Tensor) -> Reprojection:
    everywhere = torch.ones_like(positions[..., 0], dtype=torch.bool)
    return Reprojection(positions, everywhere, everywhere, ~everywhere)
