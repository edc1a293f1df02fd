"""The exported matcher: keypoints and junctions of two batches of images to matches."""

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from gluestick.matching.assignment import mutual_matches
from gluestick.matching.inputs import normalize_keypoints
from gluestick.matching.lightgluestick import POSITION_SCALE, LightGlueStick
from gluestick.matching.tokens import Tokens


class Nodes(NamedTuple):
    """The nodes of B images as the detector gives them.

    Attributes:
        image_size: [B, 2] float32, (width, height) px.
        keypoints: [B, K, 2] px.
        descriptors: [B, K, D].
        keypoint_mask: [B, K] bool, False for padding.
        junctions: [B, J, 2] px.
        junction_descriptors: [B, J, D].
        junction_mask: [B, J] bool.
    """

    image_size: Tensor
    keypoints: Tensor
    descriptors: Tensor
    keypoint_mask: Tensor
    junctions: Tensor
    junction_descriptors: Tensor
    junction_mask: Tensor


class NodeMatches(NamedTuple):
    """What the matcher says about B pairs.

    Attributes:
        matches: [B, K0] int64, the keypoint of image 1 for each of image 0, or -1.
        scores: [B, K0] in [0, 1], the probabilities.
        junction_matches: [B, J0] int64.
        junction_scores: [B, J0] in [0, 1].
        log_assignment: [B, K0+1, K1+1], between the keypoints.
        similarity: [B, J0, J1], between the junctions as ends of lines.
        guides0: [B, J0+K0, 2] px, all nodes of image 0.
        guides1: [B, J0+K0, 2] px, the matched nodes of image 1.
        guide_scores: [B, J0+K0], their probabilities, 0 where nothing is matched.
    """

    matches: Tensor
    scores: Tensor
    junction_matches: Tensor
    junction_scores: Tensor
    log_assignment: Tensor
    similarity: Tensor
    guides0: Tensor
    guides1: Tensor
    guide_scores: Tensor


class MatcherGraph(nn.Module):
    """All layers of a network whose keypoints attend to keypoints only.

    Args:
        network: The network, with ``attention="one_way"`` and without line layers.
    """

    def __init__(self, network: LightGlueStick) -> None:
        super().__init__()
        self.network = network

    def forward(self, nodes0: Nodes, nodes1: Nodes) -> NodeMatches:
        """Match the nodes of the images 0 with those of the images 1."""
        assignment, similarity = self._assign(nodes0, nodes1)
        split0, split1 = nodes0.junctions.shape[1], nodes1.junctions.shape[1]
        both = mutual_matches(assignment, threshold=self.network.config.filter_threshold)
        matched = both.matches0 > -1
        partners = both.matches0.clamp(min=0)[..., None].expand(-1, -1, 2)
        keypoints = torch.where(matched, both.matches0 - split1, -1)
        return NodeMatches(
            matches=keypoints[:, split0:],
            scores=both.scores0[:, split0:],
            junction_matches=both.matches0[:, :split0],
            junction_scores=both.scores0[:, :split0],
            log_assignment=assignment[:, split0:, split1:],
            similarity=similarity,
            guides0=torch.cat([nodes0.junctions, nodes0.keypoints], dim=1),
            guides1=torch.cat([nodes1.junctions, nodes1.keypoints], dim=1).gather(1, partners),
            guide_scores=both.scores0 * matched,
        )

    def _assign(self, nodes0: Nodes, nodes1: Nodes) -> tuple[Tensor, Tensor]:
        """Return the assignment of all nodes, and the similarities [B, J0, J1] of junctions."""
        found = self.network.core(self._tokens(nodes0), self._tokens(nodes1))
        if not self.network.config.leaves_junctions_out:
            return found.log_assignment, found.endpoint_similarity
        scale, shift = self.network.config.descriptor_similarity
        products = nodes0.junction_descriptors @ nodes1.junction_descriptors.mT
        before = (nodes1.junctions.shape[1], 0, nodes0.junctions.shape[1], 0)
        return F.pad(found.log_assignment, before, value=float("-inf")), scale * products + shift

    def _tokens(self, nodes: Nodes) -> Tokens:
        positions, real, descriptors = nodes.keypoints, nodes.keypoint_mask, nodes.descriptors
        junctions = 0
        if not self.network.config.leaves_junctions_out:
            junctions = nodes.junctions.shape[1]
            positions = torch.cat([nodes.junctions, positions], dim=1)
            real = torch.cat([nodes.junction_mask, real], dim=1)
            descriptors = torch.cat([nodes.junction_descriptors, descriptors], dim=1)
        slots = torch.arange(positions.shape[1], device=positions.device)
        normalized = normalize_keypoints(positions, nodes.image_size, scale=POSITION_SCALE)
        return Tokens(
            x=self.network.input_proj(descriptors),
            rotary=self.network.posenc(normalized),
            nodes=slots.expand(positions.shape[0], -1),
            real=real,
            mask=real,
            num_junctions=junctions,
            edge_index=slots.new_zeros(2, 0),
            ordered=True,
        )
